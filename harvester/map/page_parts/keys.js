// Keys. They work wherever the reader is, but leave a field its letters and arrows, and a button its space.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const help = element("help");

// The nearest of some sounds in a direction: ahead counts once, aside twice.
function nearestAhead(from, [dx, dy], among) {
  const x = from >= 0 ? toX(from) : width / 2, y = from >= 0 ? toY(from) : height / 2;
  let best = -1, least = Infinity;
  for (const i of among) {
    if (!shown[i] || i === from) continue;
    const along = (toX(i) - x) * dx + (toY(i) - y) * dy, aside = Math.abs((toX(i) - x) * dy) + Math.abs((toY(i) - y) * dx);
    if (along > 0 && along + 2 * aside < least) { least = along + 2 * aside; best = i; }
  }
  return best;
}

function lookAhead(arrow) {
  const best = nearestAhead(hovered >= 0 ? hovered : opened, arrow, largestFirst);
  if (best < 0) return;
  lookAt(best);
  bringIntoView(best);
  say(`${nameOf(best)} by ${userOf(best)}`);
}

// From the open sound go to a neighbour in that direction; where it has none there, to the nearest sound.
function walk(arrow) {
  const near = new Set(edgesTo(opened).filter(([, edge]) => drawnAs[looks[edge]] !== NOTHING).map(([source]) => source));
  for (let edge = starts[opened]; edge < starts[opened + 1]; edge++) if (drawnAs[looks[edge]] !== NOTHING) near.add(targets[edge]);
  const neighbour = nearestAhead(opened, arrow, near), best = neighbour >= 0 ? neighbour : nearestAhead(opened, arrow, largestFirst);
  if (best < 0) return;
  open(best, document.activeElement !== surface);
}

function moveInList(key) {
  const row = document.activeElement.closest("li"), next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[key];
  next?.querySelector("button")?.focus();
}

function onArrow(key, isShifted) {
  const arrow = ARROWS[key];
  if (document.activeElement.matches("li .sound") && arrow[1]) moveInList(key);
  else if (isShifted) lookAhead(arrow);
  else if (opened >= 0 && !card.hidden) walk(arrow);
  else pan(-arrow[0] * 80, -arrow[1] * 80);
}

const ofSound = (act) => () => { const sound = hovered >= 0 ? hovered : opened; if (sound >= 0) act(sound); };
const KEYS = {
  " ": ofSound(togglePlaying), l: ofSound(toggleLoop), s: ofSound(toggleKept), p: ofSound(stepPath), x: stopAll,
  "+": () => zoom(1.4, width / 2, height / 2), "=": () => zoom(1.4, width / 2, height / 2), "-": () => zoom(1 / 1.4, width / 2, height / 2),
  0: () => { fit(); moved(); },
  "/": () => { unfold(); element("query").focus(); },
  "?": () => help.showModal(),
  Enter: () => { if (hovered >= 0) open(hovered); else if (opened >= 0 && !card.hidden) element("name").focus(); else lookAhead(ARROWS.ArrowRight); },
};

function escape() {
  const query = element("query");
  if (document.activeElement === query && query.value) { query.value = ""; search(); }
  else if (!card.hidden || opened >= 0) { close(); surface.focus(); }
  else if (path.length || pathFrom >= 0) clearPath();
  else stopAll();
}

addEventListener("keydown", (event) => {
  const at = document.activeElement, { key } = event;
  if (help.open || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (key === "Escape") return escape();
  const isField = at.matches("input, select, textarea"), isPressed = at.matches("button, a, summary") && (key === " " || key === "Enter");
  if (isField || isPressed) return;
  const act = ARROWS[key] ? () => onArrow(key, event.shiftKey) : KEYS[key.length === 1 ? key.toLowerCase() : key];
  if (!act) return;
  event.preventDefault();
  act();
});
element("query").addEventListener("keydown", (event) => {
  const first = element("results").querySelector("button");
  if (first && event.key === "ArrowDown") { event.preventDefault(); first.focus(); }
  if (first && event.key === "Enter") first.click();
});
element("helps").addEventListener("click", () => help.showModal());
element("closeHelp").addEventListener("click", () => help.close());
