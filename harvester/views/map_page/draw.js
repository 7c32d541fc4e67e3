// The picture: two layers larger than the window, drawn when the view rests and moved as pictures while it moves.
const layers = element("layers");
const canvases = { edges: element("edges"), nodes: element("nodes"), above: element("above") };
const pens = { nodes: canvases.nodes.getContext("2d"), above: canvases.above.getContext("2d") };
const MARGIN = 0.25, RESTS_MS = 120, LARGEST = 14;
const PALETTES = {
  light: ["#3b62c9", "#e08a00", "#d64541", "#2a9d8f", "#8e5bd0", "#5c9e31", "#d9599a", "#8a5a3c", "#1c8fc4", "#a39413", "#6b7a8f", "#b05f2e"],
  dark: ["#7aa2ff", "#ffb74d", "#ff7b72", "#5fd4c4", "#c19bff", "#9ad46b", "#ff94c8", "#c99a7c", "#62c8f5", "#ded25a", "#a9b7c9", "#e79a66"],
};
const OTHER = { light: "#a9a69e", dark: "#5d6673" };
let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
let mode = 0, width = 0, height = 0, ratio = 1;
const view = { scale: 1, x: 0, y: 0 };
let drawn = null, drawnNodes = null, sum = null, restTimer = 0, nodesMs = 0, frame = 0;
const spacing = 65535 * 0.6 / Math.sqrt(Math.max(count, 1));

const colourOf = (group) => (group < PALETTES[theme].length ? PALETTES[theme][group] : OTHER[theme]);
const toX = (sound) => places[2 * sound] * view.scale + view.x;
const toY = (sound) => places[2 * sound + 1] * view.scale + view.y;
const radiusOf = (sound) => Math.min(LARGEST, Math.max(0.8, spacing * view.scale * (0.24 + 0.46 * sizes[sound] / 255)));
const largestFirst = Uint32Array.from({ length: count }, (_, i) => i).sort((one, other) => sizes[other] - sizes[one] || one - other);

function resize() {
  width = innerWidth;
  height = innerHeight;
  ratio = Math.min(devicePixelRatio || 1, 2);
  for (const [name, canvas] of Object.entries(canvases)) {
    const more = name === "above" ? 1 : 1 + 2 * MARGIN;
    canvas.width = Math.round(width * more * ratio);
    canvas.height = Math.round(height * more * ratio);
    canvas.style.width = `${width * more}px`;
    canvas.style.height = `${height * more}px`;
  }
  sum = new Uint32Array(canvases.edges.width * canvases.edges.height);
}

function drawAll() {
  drawEdges();
  drawNodes();
  drawAbove();
}

function drawEdges() {
  const canvas = canvases.edges, w = canvas.width, h = canvas.height;
  const scale = view.scale * ratio, left = (view.x + width * MARGIN) * ratio, top = (view.y + height * MARGIN) * ratio;
  sum.fill(0);
  for (let source = 0; source < count; source++) {
    if (!shown[source]) continue;
    const x = places[2 * source] * scale + left, y = places[2 * source + 1] * scale + top;
    for (let edge = starts[source]; edge < starts[source + 1]; edge++) {
      const target = targets[edge];
      if (shown[target]) {
        addLine(x, y, places[2 * target] * scale + left, places[2 * target + 1] * scale + top, 0.3 + 0.7 * scores[edge] / 65535, w, h);
      }
    }
  }
  let total = 0, touched = 0;
  for (let at = 0; at < sum.length; at += 7) if (sum[at]) { total += sum[at]; touched++; }
  const mean = Math.max(touched ? total / touched : 1, 110), tones = new Uint32Array(1024), step = Math.max(1, Math.ceil(mean * 8 / 1024));
  const [red, green, blue] = getComputedStyle(document.documentElement).getPropertyValue("--edge").trim().split(" ").map(Number);
  for (let tone = 0; tone < 1024; tone++) {
    const alpha = Math.round(175 * (1 - Math.exp(-tone * step / mean / 1.8)));
    tones[tone] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  const picture = new ImageData(w, h), pixels = new Uint32Array(picture.data.buffer);
  for (let at = 0; at < sum.length; at++) {
    const value = sum[at];
    if (value) pixels[at] = tones[Math.min(1023, (value / step) | 0)];
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  drawn = { ...view };
  place(canvas, drawn);
}

// An anti-aliased line, added to the sum: two pixels a step along the longer axis share its weight. Long lines are fainter.
function addLine(x0, y0, x1, y1, strength, w, h) {
  const dx = x1 - x0, dy = y1 - y0;
  let from = 0, to = 1;
  for (const [p, q0, q1] of [[dx, x0 - 1, w - 3 - x0], [dy, y0 - 1, h - 3 - y0]]) {
    if (p === 0) {
      if (q0 < 0 || q1 < 0) return;
    } else {
      const one = (p > 0 ? -q0 : q1) / p, other = (p > 0 ? q1 : -q0) / p;
      if (one > from) from = one;
      if (other < to) to = other;
    }
  }
  if (from >= to) return;
  const steep = Math.abs(dy) > Math.abs(dx), long = Math.max(Math.abs(dx), Math.abs(dy));
  if (long < 0.5) return;
  const weight = 256 * strength * Math.min(1, Math.max(0.05, 60 * ratio / long));
  const steps = Math.max(1, ((to - from) * long) | 0);
  const stepX = dx / long, stepY = dy / long, across = steep ? 1 : w;
  let x = x0 + dx * from, y = y0 + dy * from;
  for (let n = 0; n <= steps; n++) {
    const px = x | 0, py = y | 0, part = steep ? x - px : y - py, at = py * w + px;
    sum[at] += weight * (1 - part);
    sum[at + across] += weight * part;
    x += stepX;
    y += stepY;
  }
}

function drawNodes() {
  const began = performance.now(), pen = pens.nodes, canvas = canvases.nodes, group = groups[mode];
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(ratio, 0, 0, ratio, width * MARGIN * ratio, height * MARGIN * ratio);
  const sprites = new Map(), marginX = width * MARGIN, marginY = height * MARGIN;
  for (const sound of largestFirst) {
    if (!shown[sound]) continue;
    const x = toX(sound), y = toY(sound), radius = radiusOf(sound);
    if (x < -marginX - radius || y < -marginY - radius || x > width + marginX + radius || y > height + marginY + radius) continue;
    if (radius < 1.3) {
      pen.fillStyle = colourOf(group[sound]);
      pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      continue;
    }
    const bucket = Math.round(radius * 3), key = bucket * 256 + group[sound];
    let sprite = sprites.get(key);
    if (!sprite) sprites.set(key, (sprite = makeSprite(bucket / 3, colourOf(group[sound]))));
    pen.drawImage(sprite, x - sprite.width / ratio / 2, y - sprite.height / ratio / 2, sprite.width / ratio, sprite.height / ratio);
  }
  drawnNodes = { ...view };
  place(canvas, drawnNodes);
  nodesMs = performance.now() - began;
}

function makeSprite(radius, colour) {
  const sprite = document.createElement("canvas"), pen = sprite.getContext("2d");
  sprite.width = sprite.height = Math.ceil((2 * radius + 2) * ratio);
  pen.scale(ratio, ratio);
  dot(pen, sprite.width / ratio / 2, sprite.width / ratio / 2, radius, colour);
  return sprite;
}

function dot(pen, x, y, radius, colour) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = colour;
  pen.fill();
  if (radius > 2) {
    pen.lineWidth = 0.8;
    pen.strokeStyle = theme === "dark" ? "#10131899" : "#ffffff99";
    pen.stroke();
  }
}

// A layer drawn for another view is moved and scaled to where it belongs in this one.
function place(canvas, old) {
  const zoom = view.scale / old.scale;
  const x = view.x - old.x * zoom - width * MARGIN * zoom, y = view.y - old.y * zoom - height * MARGIN * zoom;
  canvas.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
}

function isBeyond(old) {
  const zoom = view.scale / old.scale, x = view.x - old.x * zoom, y = view.y - old.y * zoom;
  return zoom > 2.5 || zoom < 0.6 || x - width * MARGIN * zoom > 0 || y - height * MARGIN * zoom > 0 ||
    x + width * (1 + MARGIN) * zoom < width || y + height * (1 + MARGIN) * zoom < height;
}

function moved() {
  clearTimeout(restTimer);
  restTimer = setTimeout(rest, RESTS_MS);
  if (!frame) frame = requestAnimationFrame(showMoved);
}

function showMoved() {
  frame = 0;
  if (isBeyond(drawn)) drawEdges();
  else place(canvases.edges, drawn);
  if (nodesMs < 5 || isBeyond(drawnNodes)) drawNodes();
  else place(canvases.nodes, drawnNodes);
  drawAbove();
}

function rest() {
  if (drawn.scale !== view.scale || drawn.x !== view.x || drawn.y !== view.y) {
    drawEdges();
    drawNodes();
  }
  drawAbove();
}

function redraw() {
  if (!drawn) return;
  drawAll();
}
