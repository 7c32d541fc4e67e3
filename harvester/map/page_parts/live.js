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
  const news = await ask();
  setTimeout(look, news ? LOOK_MS : LOST_MS);
  if (!news) return tell("The server has ended: the page stays as it is.", true);
  const grown = news.data ? take(news.version, news.data) : 0;
  if (news.problem) tell(`${news.problem}. The page shows what was read before.`, true);
  else if (grown || live.classList.contains("problem") || !live.textContent) tell(state(grown));
}

async function ask() {
  try {
    const answer = await fetch(`changes?after=${version}`, { cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // no server at this address
  }
}

function state(grown) {
  const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return grown > 0 ? `Live: ${grown.toLocaleString("en")} new at ${at}` : "Live: new sounds appear by themselves";
}

// Take newer data; return the number of sounds that came.
function take(number, data) {
  const ids = wordsOf().ids, before = places, wasCount = count, isFitted = looksFitted(), openId = ids[opened];
  const known = opened >= 0 ? edgeMark(opened) : "", hiddenLabels = labelsOf(hidden);
  const hiddenNames = new Set([...hiddenKinds].map((kind) => head.kinds[kind][0]));
  version = number;
  ({ head, arrays: packed } = data);
  words = data.sounds;
  hiddenKinds.clear();
  head.kinds.forEach(([name], kind) => { if (hiddenNames.has(name)) hiddenKinds.add(kind); });
  for (const make of derivations) make();
  const isSame = ids.every((id, sound) => words.ids[sound] === id), walked = isSame ? hovered : -1;
  document.title = head.title;
  hoveredAround = -1;
  if (!isSame) renumber(openId);
  if (opened >= 0 && !card.hidden && edgeMark(opened) !== known) refill();
  hidden = groupsOf(hiddenLabels);
  choose();
  hovered = walked;
  rebuild("legend", legend);
  rebuild("lines", lines);
  resize();
  if (isSame) slide(before, wasCount, isFitted);
  else if (isFitted) fit();
  if (element("query").value.trim()) rebuild("results", search);
  rebuild("kept", showKept);
  redraw();
  return count - wasCount;
}

// Hidden groups are known by their texts: newer data may number groups anew, as they are ordered by size. The group of all
// small ones has a fixed number, and a text that counts them.
const REST_GROUP = 255, textOf = ([group, label]) => (group === REST_GROUP ? REST_GROUP : label);
const labelsOf = (some) => new Set(head.modes[mode].labels.filter(([group]) => some.has(group)).map(textOf));
const groupsOf = (texts) => new Set(head.modes[mode].labels.filter((one) => texts.has(textOf(one))).map(([group]) => group));

// A sound has left, so the others have new numbers: find the open sound by its id, and make the lists of buttons again.
function renumber(openId) {
  pathFrom = -1;
  found = [];
  wholeHits = new Set();
  if (opened >= 0) opened = soundOf(openId);
  if (opened < 0) close();
  if (path.length) showWay(path.at(-1));
  showPathAct();
  showPlaying();
}

// Make a list of buttons again, and leave the focus on the button that has it.
function rebuild(id, make) {
  const buttons = () => [...element(id).querySelectorAll("button")], at = buttons().indexOf(document.activeElement);
  make();
  if (at >= 0) buttons()[at]?.focus();
}

// What the card shows of a sound's edges and nearest sounds.
const edgeMark = (sound) => [opened, starts[sound + 1] - starts[sound], edgesTo(sound).length, nameOf(sound), ...nearestOf(sound)].join();

// A reader who walks in the card by keyboard keeps it as it is.
function refill() {
  if (facts.contains(document.activeElement)) return;
  const scroll = card.scrollTop;
  fillCard();
  card.scrollTop = scroll;
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
  if (farthest < 200) return;
  const arrive = () => { if (opened >= 0 && !card.hidden) bringIntoView(opened); };
  // A hidden page shows no frames: there the slide would wait until its reader comes back.
  if (count > FEW || document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return arrive();
  const began = performance.now();
  const step = () => {
    const part = Math.min(1, (performance.now() - began) / SLIDE_MS), eased = part * part * (3 - 2 * part);
    for (let i = 0; i < 2 * wasCount; i++) places[i] = before[i] + (after[i] - before[i]) * eased;
    if (isFitted) for (const name of ["x", "y", "scale"]) view[name] = from[name] + (to[name] - from[name]) * eased;
    redraw();
    if (part < 1) sliding = requestAnimationFrame(step);
    else arrive();
  };
  step();
}

setTimeout(look, LOOK_MS);
