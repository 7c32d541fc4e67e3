// The layer above the picture: names of islands and sounds, the neighbourhood under the pointer, search results.
let hovered = -1, opened = head.ego, found = [];

// Find the sound under a point with a grid over the places.
let cells, cellSize, cellStarts, inCells;
derive(() => {
  cells = Math.max(1, Math.min(512, Math.round(Math.sqrt(count / 2))));
  cellSize = 65536 / cells;
  cellStarts = new Uint32Array(cells * cells + 1);
  inCells = new Uint32Array(count);
  const cellOf = (i) => Math.floor(places[2 * i + 1] / cellSize) * cells + Math.floor(places[2 * i] / cellSize);
  for (let i = 0; i < count; i++) cellStarts[cellOf(i) + 1]++;
  for (let cell = 0; cell < cells * cells; cell++) cellStarts[cell + 1] += cellStarts[cell];
  const next = cellStarts.slice();
  for (let i = 0; i < count; i++) inCells[next[cellOf(i)]++] = i;
});

function soundAt(x, y, slack) {
  const reach = (LARGEST + slack) / view.scale, worldX = (x - view.x) / view.scale, worldY = (y - view.y) / view.scale;
  const clamp = (value) => Math.max(0, Math.min(cells - 1, Math.floor(value / cellSize)));
  let best = -1, least = Infinity;
  for (let row = clamp(worldY - reach); row <= clamp(worldY + reach); row++) {
    for (let column = clamp(worldX - reach); column <= clamp(worldX + reach); column++) {
      const cell = row * cells + column;
      for (let at = cellStarts[cell]; at < cellStarts[cell + 1]; at++) {
        const sound = inCells[at];
        if (!shown[sound]) continue;
        const distance = Math.hypot(toX(sound) - x, toY(sound) - y) - radiusOf(sound);
        if (distance < slack && distance < least) { least = distance; best = sound; }
      }
    }
  }
  return best;
}

function drawAbove() {
  const pen = aboves, focus = hovered >= 0 ? hovered : opened;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  layers.classList.toggle("dim", focus >= 0 || found.length > 0 || path.length > 0);
  for (const sound of found) if (shown[sound]) ring(pen, sound, wholeHits.has(sound) ? 2 : 0.7);
  drawContext(pen);
  if (focus >= 0) drawNeighbourhood(pen, focus);
  if (path.length) drawPath(pen);
  drawKept(pen);
  if (focus < 0 && !found.length && !path.length) drawNames(pen);
}

function ring(pen, sound, thick) {
  dot(pen, toX(sound), toY(sound), Math.max(3.2, radiusOf(sound)), colourOf(groups[mode][sound]));
  pen.lineWidth = thick;
  pen.strokeStyle = ink();
  pen.stroke();
}

const ink = () => (theme === "dark" ? "#eceef1" : "#1d2126");
const paper = () => (theme === "dark" ? "#101318" : "#f6f5f1");

function drawNeighbourhood(pen, sound) {
  const x = toX(sound), y = toY(sound), near = new Set();
  pen.lineCap = "round";
  pen.strokeStyle = theme === "dark" ? "#9fb0c8" : "#5b6880";
  pen.lineWidth = 0.7;
  pen.globalAlpha = 0.45;
  pen.beginPath();
  for (const [source, edge] of edgesTo(sound)) {
    if (!shown[source] || drawnAs[looks[edge]] === NOTHING) continue;
    pen.moveTo(x, y);
    pen.lineTo(toX(source), toY(source));
    near.add(source);
  }
  pen.stroke();
  for (let edge = starts[sound]; edge < starts[sound + 1]; edge++) {
    const target = targets[edge];
    const as = drawnAs[looks[edge]];
    if (!shown[target] || as === NOTHING) continue;
    const isOne = as === AS_SIMILAR, score = isOne ? scores[edge] / 65535 : 0.3;
    pen.strokeStyle = isOne ? colourOf(groups[mode][sound]) : `rgb(${lineColour("--related").join()})`;
    pen.setLineDash(isOne ? [] : [5, 4]);
    pen.globalAlpha = 0.4 + 0.6 * score;
    pen.lineWidth = 0.6 + 2 * score;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(toX(target), toY(target));
    pen.stroke();
    near.add(target);
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
  for (const other of near) dot(pen, toX(other), toY(other), Math.max(2, radiusOf(other)), colourOf(groups[mode][other]));
  dot(pen, x, y, Math.max(4, radiusOf(sound) * 1.2), colourOf(groups[mode][sound]));
  pen.lineWidth = 2;
  pen.strokeStyle = ink();
  pen.stroke();
}

// Zoomed out, islands show their tags; zoomed in, sounds show their names.
function drawNames(pen) {
  const taken = [], cover = panel.getBoundingClientRect();
  const isFree = (box) => taken.every((other) => box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1]);
  const write = (text, x, y, size, weight) => {
    pen.font = `${weight} ${size}px system-ui, sans-serif`;
    const half = pen.measureText(text).width / 2;
    const left = cover.right <= x && cover.top < y + 4 && cover.bottom > y - size ? cover.right : 0;
    // The whole name of what is in view, beside the panel.
    if (x > left && x < width) x = Math.max(left + half + 4, Math.min(width - half - 4, x));
    const box = [x - half - 4, y - size, x + half + 4, y + 4];
    if (!isFree(box)) return;
    taken.push(box);
    pen.lineWidth = 3.5;
    pen.lineJoin = "round";
    pen.strokeStyle = theme === "dark" ? "#101318dd" : "#f6f5f1dd";
    pen.strokeText(text, x, y);
    pen.fillStyle = ink();
    pen.fillText(text, x, y);
  };
  pen.textAlign = "center";
  const inView = [];
  // Parsing the texts of fifty thousand sounds takes a moment, so it must not happen during a movement.
  if (spacing * view.scale > 26 && (words || !moving)) {
    for (const sound of largestFirst) {
      const x = toX(sound), y = toY(sound);
      if (shown[sound] && x > 0 && y > 0 && x < width && y < height) inView.push(sound);
      if (inView.length > 160) break;
    }
    if (inView.length <= 160) {
      for (const sound of inView) write(shorten(nameOf(sound), 34), toX(sound), toY(sound) + radiusOf(sound) + 13, 11, 400);
      return;
    }
  }
  for (const island of head.islands) {
    if (shown[island.sound]) write(island.name, toX(island.sound), toY(island.sound), (island.share > 0.08 ? 15 : 12.5) * (width < 736 ? 0.85 : 1), 600);
  }
}

const shorten = (text, most) => { const letters = [...text]; return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text; };
