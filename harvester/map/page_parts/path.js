// The shortest path between two sounds, over the edges of the kinds that are shown, in either direction, drawn or not.
// Of paths with equally few steps it is the one whose scores sum up highest.
let pathFrom = -1, path = [], pathIds = [];
derive(() => {
  if (!pathIds.length) return;
  path = pathIds.map(soundOf);
  if (path.includes(-1)) clearPath();
});

function findPath(from, to) {
  const came = new Int32Array(count).fill(-1), sums = new Float64Array(count), steps = new Int32Array(count).fill(-1);
  steps[from] = 0;
  for (let ring = [from], step = 1; ring.length && steps[to] < 0; step++) {
    const next = [];
    const reach = (one, other, edge) => {
      if (!shown[other] || drawnAs[looks[edge]] === NOTHING || (steps[other] >= 0 && steps[other] < step)) return;
      const sum = sums[one] + scores[edge] / 65535;
      if (steps[other] < 0) { steps[other] = step; next.push(other); } else if (sum <= sums[other]) return;
      sums[other] = sum;
      came[other] = one;
    };
    for (const one of ring) {
      for (let edge = starts[one]; edge < starts[one + 1]; edge++) reach(one, targets[edge], edge);
      for (const [source, edge] of edgesTo(one)) reach(one, source, edge);
    }
    ring = next;
  }
  if (steps[to] < 0) return [];
  const chain = [to];
  while (chain[0] !== from) chain.unshift(came[chain[0]]);
  return chain;
}

function pathAct(sound) {
  const button = make("button", "", { type: "button", class: "path" });
  button.addEventListener("click", () => stepPath(sound));
  return button;
}

// The first press chooses where the path begins, the next where it ends.
function stepPath(sound) {
  if (pathFrom < 0 || pathFrom === sound) {
    const was = pathFrom;
    clearPath();
    pathFrom = was === sound ? -1 : sound;
    say(pathFrom < 0 ? "No path" : `The path begins at ${nameOf(sound)}. Open another sound and press P there.`);
  } else {
    path = findPath(pathFrom, sound);
    pathIds = path.map(idOf);
    say(path.length ? `${path.length - 1} ${path.length === 2 ? "step" : "steps"} from ${nameOf(pathFrom)} to ${nameOf(sound)}` : `There is no path from ${nameOf(pathFrom)} to ${nameOf(sound)}.`);
    showWay(sound);
    pathFrom = -1;
  }
  showPathAct();
  drawAbove();
}

function showWay(to) {
  const steps = path.length - 1;
  element("path").hidden = false;
  element("pathTitle").textContent = path.length ? `Path: ${counted(steps, "step")}` : "No path";
  element("chain").replaceChildren(...(path.length
    ? rows(path.map((sound, at) => [sound, at ? beside(path[at - 1], sound) : "start"]))
    : [make("li", `From ${nameOf(pathFrom)} no shown edge leads on to ${nameOf(to)}.`, { class: "quiet" })]));
}

// What the edge between two sounds of a path is: its score, or its relations.
function beside(one, other) {
  const edge = edgeBetween(one, other);
  return hasSimilar[looks[edge]] ? scoreOf(edge).toFixed(3) : relationsOf(edge);
}

function edgeBetween(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    for (let edge = starts[from]; edge < starts[from + 1]; edge++) if (targets[edge] === to && drawnAs[looks[edge]] !== NOTHING) return edge;
  }
  return -1;
}

function showPathAct() {
  const button = facts.querySelector(".path");
  if (!button) return;
  button.textContent = pathFrom < 0 ? "Path…" : pathFrom === opened ? "Path begins here ×" : `Path from “${shorten(nameOf(pathFrom), 18)}”`;
  button.title = pathFrom < 0 ? "The shortest path from here to another sound" : "";
  button.setAttribute("aria-pressed", String(pathFrom >= 0 && pathFrom === opened));
}

function clearPath() {
  path = pathIds = [];
  pathFrom = -1;
  element("path").hidden = true;
  showPathAct();
  drawAbove();
}

function drawPath(pen) {
  pen.lineCap = pen.lineJoin = "round";
  for (const [colour, thick] of [[paper(), 7], [ink(), 3]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    path.forEach((sound, at) => (at ? pen.lineTo(toX(sound), toY(sound)) : pen.moveTo(toX(sound), toY(sound))));
    pen.stroke();
  }
  for (const sound of path) ring(pen, sound, 2);
}

element("noPath").addEventListener("click", () => { clearPath(); surface.focus(); });
