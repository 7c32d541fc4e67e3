// The address keeps what one sees: the open sound, the middle of the view with its span, and the colouring, such as
// `#sound=123&at=32000,28000,9000&by=user`. Opened sounds are steps of the history. What is not understood is ignored.
const SETTLED_MS = 300;
let addressTimer = 0, isFollowing = false;

function readAddress() {
  const asked = {};
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (name === "sound") asked.sound = /^\d{1,15}$/.test(value) ? soundOf(Number(value)) : -1;
    if (name === "at" && /^-?\d{1,6},-?\d{1,6},[1-9]\d{0,5}$/.test(value)) asked.at = value.split(",").map(Number);
    if (name === "by") asked.mode = head.modes.findIndex((mode) => mode.key === value);
  }
  return asked;
}

function addressNow() {
  const sound = opened >= 0 && !card.hidden ? [`sound=${idOf(opened)}`] : [];
  const [x, y] = unshaped((width / 2 - view.x) / view.scale, (height / 2 - view.y) / view.scale);
  const middle = [x, y, Math.min(width, height) / view.scale];
  return `#${[...sound, `at=${middle.map(Math.round).join()}`, `by=${head.modes[mode].key}`].join("&")}`;
}

function writeAddress(isStep) {
  clearTimeout(addressTimer);
  const address = addressNow(), isOther = readAddress().sound !== (card.hidden || opened < 0 ? undefined : opened);
  if (isFollowing || location.hash === address) return;
  try {
    history[isStep && isOther ? "pushState" : "replaceState"](null, "", address);
  } catch {
    // An embedded page has no address of its own, and a browser limits how often one changes.
  }
}

// Movement would write it in every frame; once it rests is enough.
function noteView() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => writeAddress(false), SETTLED_MS);
}

function look([x, y, span]) {
  view.scale = Math.min(4, Math.max(0.0005, Math.min(width, height) / span));
  [x, y] = shaped([x, y]);
  view.x = width / 2 - x * view.scale;
  view.y = height / 2 - y * view.scale;
  moved();
}

function follow() {
  const asked = readAddress(), isView = location.hash.length < 2 || asked.at || asked.mode >= 0;
  isFollowing = true;
  if (asked.mode >= 0 && asked.mode !== mode) colourBy(asked.mode);
  if (asked.sound >= 0) {
    if (asked.sound !== opened || card.hidden) open(asked.sound, false);
  } else if (asked.sound === undefined && isView && !card.hidden) close();
  // Last, because opening a sound may move the view.
  if (asked.at) look(asked.at);
  clearTimeout(addressTimer);
  isFollowing = false;
}

addEventListener("popstate", follow);
