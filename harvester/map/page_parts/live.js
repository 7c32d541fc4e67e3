// Live: the page of `harvester browse` asks its server for newer data, and takes it without losing what its reader is
// doing. Sounds keep their numbers unless one left the library; then what is open is found again by its id.
const LOOK_MS = 1000, LOST_MS = 5000, SLIDE_MS = 700;
const live = make("p", undefined, { id: "live", class: "quiet" });
element("counts").after(live);
let version = head.version, sliding = 0;

function tell(text, isProblem = false) {
  live.textContent = text;
  live.classList.toggle("problem", isProblem);
}

async function look() {
  let pause = LOOK_MS;
  try {
    const answer = await fetch(`changes?after=${version}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const news = await answer.json();
    const grown = news.data ? take(news.version, news.data) : 0;
    if (news.problem) tell(`${news.problem}. The page shows what was read before.`, true);
    else if (grown || live.classList.contains("problem") || !live.textContent) tell(state(grown));
  } catch {
    tell("The server has ended: the page stays as it is.", true);
    pause = LOST_MS;
  }
  setTimeout(look, pause);
}

function state(grown) {
  const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return grown > 0 ? `Live: ${grown.toLocaleString("en")} new at ${at}` : "Live: new sounds appear by themselves";
}

// Take newer data; return the number of sounds that came.
function take(number, data) {
  const ids = wordsOf().ids, before = places, wasCount = count, isFitted = looksFitted(), openId = ids[opened];
  const known = opened >= 0 ? edgeMark(opened) : "";
  version = number;
  ({ head, arrays: packed } = data);
  words = data.sounds;
  words.folded = null;
  for (const make of derivations) make();
  const isSame = ids.every((id, sound) => words.ids[sound] === id);
  if (!isSame) {
    hovered = -1;
    found = [];
  }
  document.title = head.title;
  if (opened >= 0) {
    const now = isSame ? opened : words.ids.indexOf(openId);
    if (now < 0) close();
    else if (now !== opened || edgeMark(now) !== known) reopen(now);
  }
  hidden = new Set([...hidden].filter((group) => head.modes[mode].labels.some(([one]) => one === group)));
  const walked = hovered;
  choose();
  hovered = walked;
  rebuild("legend", legend);
  rebuild("lines", lines);
  resize();
  if (isSame) slide(before, wasCount, isFitted);
  else if (isFitted) fit();
  if (element("query").value.trim()) rebuild("results", search);
  redraw();
  return count - wasCount;
}

// Make a list of buttons again, and leave the focus on the button that has it.
function rebuild(id, make) {
  const buttons = () => [...element(id).querySelectorAll("button")], at = buttons().indexOf(document.activeElement);
  make();
  if (at >= 0) buttons()[at]?.focus();
}

// What the card shows of a sound's edges.
const edgeMark = (sound) => `${starts[sound + 1] - starts[sound]} ${edgesTo(sound).length} ${nameOf(sound)}`;

function reopen(sound) {
  opened = sound;
  // A reader who listens, or who walks in the card by keyboard, keeps it as it is.
  if (!audio && !facts.contains(document.activeElement)) {
    const scroll = card.scrollTop;
    open(sound, false);
    card.scrollTop = scroll;
  }
}

function looksFitted() {
  const old = { ...view };
  fit();
  const isFitted = Math.abs(view.x - old.x) + Math.abs(view.y - old.y) < 1 && Math.abs(view.scale / old.scale - 1) < 0.001;
  Object.assign(view, old);
  return isFitted;
}

// After a new layout the dots of a small map slide to their places; those of a large one are there at once.
function slide(before, wasCount, isFitted) {
  cancelAnimationFrame(sliding);
  const after = places.slice(), from = { ...view };
  let farthest = 0;
  for (let i = 0; i < 2 * wasCount; i++) farthest = Math.max(farthest, Math.abs(after[i] - before[i]));
  if (isFitted) fit();
  const to = { ...view };
  // A hidden page shows no frames: there the slide would wait until its reader comes back.
  if (farthest < 200 || count > FEW || document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const began = performance.now();
  const step = () => {
    const part = Math.min(1, (performance.now() - began) / SLIDE_MS), eased = part * part * (3 - 2 * part);
    for (let i = 0; i < 2 * wasCount; i++) places[i] = before[i] + (after[i] - before[i]) * eased;
    if (isFitted) for (const name of ["x", "y", "scale"]) view[name] = from[name] + (to[name] - from[name]) * eased;
    if (part < 1) sliding = requestAnimationFrame(step);
    redraw();
  };
  step();
}

setTimeout(look, LOOK_MS);
