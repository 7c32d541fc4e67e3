// Movement: two layers, each painted on a canvas outside the page that then replaces the visible canvas. While the view
// moves, the visible canvas is moved and scaled as a picture, and the next one is painted in the rest of each frame.
// Painting happens outside the page because the browser copies a canvas of the page in every frame that draws on it.
const layers = element("layers"), above = element("above"), aboves = above.getContext("2d");
const edgeLayer = makeLayer("edges", paintEdges), nodeLayer = makeLayer("nodes", paintNodes), both = [edgeLayer, nodeLayer];
const RESTS_MS = 120, MOVING_MS = 7, RESTING_MS = 20;
const FEW = 1500; // up to this many dots are repainted in every frame, so that they stay sharp while the map zooms
let job = null, frame = 0, restTimer = 0, moving = false;

function makeLayer(name, paint) {
  const front = layers.querySelector(`canvas.${name}`);
  return { front, back: front.cloneNode(), paint, at: null };
}

function resize() {
  width = innerWidth;
  height = innerHeight;
  ratio = Math.min(devicePixelRatio || 1, 2);
  for (const canvas of [above, ...both.flatMap(({ front, back }) => [front, back])]) {
    const more = canvas === above ? 1 : 1 + 2 * MARGIN;
    canvas.width = Math.round(width * more * ratio);
    canvas.height = Math.round(height * more * ratio);
    canvas.style.width = `${width * more}px`;
    canvas.style.height = `${height * more}px`;
  }
  const { width: w, height: h } = edgeLayer.front;
  sprites.clear();
  sum = new Uint32Array(w * h);
  related = hasRelated.some(Boolean) ? new Uint32Array(w * h) : null;
  picture = new ImageData(w, h);
}

function* paintBoth() {
  const at = { ...view };
  for (const layer of both) yield* layer.paint(layer.back, at);
  for (const layer of both) {
    [layer.front, layer.back] = [layer.back, layer.front];
    layer.at = at;
    place(layer);
    layer.back.replaceWith(layer.front);
  }
}

function work(until) {
  while (job && performance.now() < until) if (job.next().done) job = null;
}

// Paint at once: the first picture, and after a change of colour, theme, filter or size.
function drawAll() {
  job = paintBoth();
  work(Infinity);
  drawAbove();
}

const redraw = () => { if (edgeLayer.at) drawAll(); };

// Move and scale a layer that was painted for another view to its place in this one.
function place(layer) {
  const old = layer.at, zoom = view.scale / old.scale;
  const x = view.x - old.x * zoom - width * MARGIN * zoom, y = view.y - old.y * zoom - height * MARGIN * zoom;
  layer.front.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
}

// The picture must be repainted when it is scaled too much, or when most of its margin is inside the window.
function isWorn(old) {
  const zoom = view.scale / old.scale, x = view.x - old.x * zoom, y = view.y - old.y * zoom, spare = 0.4 * MARGIN;
  return zoom > 2 || zoom < 0.7 || x > width * (MARGIN * zoom - spare) || y > height * (MARGIN * zoom - spare) ||
    x + width * (1 + MARGIN) * zoom < width * (1 + spare) || y + height * (1 + MARGIN) * zoom < height * (1 + spare);
}

function moved() {
  moving = true;
  noteView();
  clearTimeout(restTimer);
  restTimer = setTimeout(rest, RESTS_MS);
  askFrame();
}

const askFrame = () => { frame ||= requestAnimationFrame(show); };

function show() {
  frame = 0;
  if (!job && isWorn(edgeLayer.at)) job = paintBoth();
  work(performance.now() + (moving ? MOVING_MS : RESTING_MS));
  if (count <= FEW) {
    nodeLayer.at = { ...view };
    for (const _ of paintNodes(nodeLayer.front, view));
  }
  both.forEach(place);
  drawAbove();
  if (job) askFrame();
}

function rest() {
  moving = false;
  const { scale, x, y } = edgeLayer.at;
  if (scale !== view.scale || x !== view.x || y !== view.y) job = paintBoth();
  askFrame();
}
