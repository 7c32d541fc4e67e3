// Painting: draw a view onto canvases larger than the window. Each painter is a generator that yields often, so that
// it uses only the milliseconds that a frame has left.
const MARGIN = 0.25, LARGEST = 14;
let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
let mode = head.mode, width = 0, height = 0, ratio = 1;
const view = { scale: 1, x: 0, y: 0 };
let spacing, largestFirst;
derive(() => {
  spacing = 65535 * 0.6 / Math.sqrt(Math.max(count, 1)) * shape.density;
  largestFirst = Uint32Array.from({ length: count }, (_, i) => i).sort((one, other) => sizes[other] - sizes[one] || one - other);
});

// The last colour of a palette is the grey of sounds in no group of their own.
const colourOf = (group) => {
  const palette = head.palettes[theme];
  return palette[head.modes[mode].colors[group]] ?? palette.at(-1);
};
const toX = (sound, at = view) => places[2 * sound] * at.scale + at.x;
const toY = (sound, at = view) => places[2 * sound + 1] * at.scale + at.y;
const radiusOf = (sound, at = view) => Math.min(LARGEST, Math.max(0.8, spacing * at.scale * (0.24 + 0.46 * sizes[sound] / 255)));

const isStrong = (edge) => strong === null || bit(strong, edge);

// Pictures of dots by colour and radius, cached between paintings: a few hundred at most.
const sprites = new Map();

// How strongly edges cover each pixel, and the picture made from that; as large as the canvases, and reused.
// Lines of related sounds have a sum of their own, where there are any.
let sum = null, related = null, picture = null;
const SHARES = 8;

function* paintEdges(canvas, at) {
  const w = canvas.width, h = canvas.height;
  const scale = at.scale * ratio, left = (at.x + width * MARGIN) * ratio, top = (at.y + height * MARGIN) * ratio;
  sum.fill(0);
  if (related) related.fill(0);
  for (let source = 0; source < count; source++) {
    if (source % 64 === 0) yield;
    if (!shown[source]) continue;
    const x = places[2 * source] * scale + left, y = places[2 * source + 1] * scale + top;
    for (let edge = starts[source]; edge < starts[source + 1]; edge++) {
      const target = targets[edge], as = drawnAs[looks[edge]];
      if (shown[target] && as !== NOTHING && isStrong(edge)) {
        const isOne = as === AS_SIMILAR, strength = isOne ? 0.3 + 0.7 * scores[edge] / 65535 : 0.5;
        addLine(isOne ? sum : related, x, y, places[2 * target] * scale + left, places[2 * target + 1] * scale + top, strength, w, h);
      }
    }
  }
  yield;
  let total = 0, touched = 0;
  for (let pixel = 0; pixel < sum.length; pixel += 7) {
    const value = sum[pixel] + (related ? related[pixel] : 0);
    if (value) { total += value; touched++; }
  }
  const mean = Math.max(touched ? total / touched : 1, 110), step = Math.max(1, Math.ceil(mean * 8 / 1024));
  // A row of tones for each share of related lines, from none to all of the sum.
  const tones = new Uint32Array(1024 * (SHARES + 1)), one = lineColour("--edge"), other = lineColour("--related");
  for (let at = 0; at < tones.length; at++) {
    const tone = at % 1024, share = (at - tone) / 1024 / SHARES;
    const [red, green, blue] = one.map((value, part) => Math.round(value + (other[part] - value) * share));
    const alpha = Math.round(175 * (1 - Math.exp(-tone * step / mean / 1.8)));
    tones[at] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  const pixels = new Uint32Array(picture.data.buffer), pen = canvas.getContext("2d"), strip = 128;
  for (let row = 0; row < h; row += strip) {
    yield;
    const rows = Math.min(strip, h - row);
    for (let pixel = row * w; pixel < (row + rows) * w; pixel++) {
      const extra = related ? related[pixel] : 0, value = sum[pixel] + extra;
      pixels[pixel] = value ? tones[Math.min(1023, (value / step) | 0) + (extra ? 1024 * Math.round(SHARES * extra / value) : 0)] : 0;
    }
    pen.putImageData(picture, 0, 0, 0, row, w, rows);
  }
}

const lineColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim().split(" ").map(Number);

// Add an anti-aliased line to a sum: at each step along the longer axis two pixels share its weight. Long lines are
// fainter.
function addLine(sum, x0, y0, x1, y1, strength, w, h) {
  const dx = x1 - x0, dy = y1 - y0;
  let from = 0, to = 1;
  if (dx !== 0) {
    const one = (1 - x0) / dx, other = (w - 3 - x0) / dx;
    from = Math.max(from, Math.min(one, other));
    to = Math.min(to, Math.max(one, other));
  } else if (x0 < 1 || x0 > w - 3) return;
  if (dy !== 0) {
    const one = (1 - y0) / dy, other = (h - 3 - y0) / dy;
    from = Math.max(from, Math.min(one, other));
    to = Math.min(to, Math.max(one, other));
  } else if (y0 < 1 || y0 > h - 3) return;
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

function* paintNodes(canvas, at) {
  const pen = canvas.getContext("2d"), group = groups[mode];
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(ratio, 0, 0, ratio, width * MARGIN * ratio, height * MARGIN * ratio);
  const marginX = width * MARGIN, marginY = height * MARGIN;
  let painted = 0;
  paintContext(pen, at);
  for (const sound of largestFirst) {
    if (!shown[sound]) continue;
    const x = toX(sound, at), y = toY(sound, at), radius = radiusOf(sound, at);
    if (x < -marginX - radius || y < -marginY - radius || x > width + marginX + radius || y > height + marginY + radius) continue;
    if (++painted % 128 === 0) yield;
    if (radius < 1.3) {
      pen.fillStyle = colourOf(group[sound]);
      pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      continue;
    }
    const bucket = Math.round(radius * 3), colour = colourOf(group[sound]), key = `${colour} ${bucket}`;
    let sprite = sprites.get(key);
    if (!sprite) {
      sprites.set(key, (sprite = makeSprite(bucket / 3, colour)));
      yield;
    }
    pen.drawImage(sprite, x - sprite.width / ratio / 2, y - sprite.height / ratio / 2, sprite.width / ratio, sprite.height / ratio);
  }
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
