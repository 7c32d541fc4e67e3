// Input: pointer, touch, wheel, filters, legend.
const surface = element("surface"), hint = element("hint"), panel = element("panel");
const FIT_PAD = 28; // what stays free around a map that is fitted to the window
const fingers = new Map();
let pinch = 0, travelled = 0, hidden = new Set();

function free() {
  const wide = innerWidth >= 736;
  const left = wide ? panel.getBoundingClientRect().right : 0, right = wide && !card.hidden ? card.getBoundingClientRect().left : width;
  return { left, right, top: wide ? 0 : 60, bottom: !wide && !card.hidden ? card.getBoundingClientRect().top : height };
}

function fit() {
  let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
  // The strip of sounds without an edge counts only where no others are shown.
  const hasOthers = shown.some((is, i) => is && !inStrip[i]);
  for (let i = 0; i < count; i++) {
    if (!shown[i] || (hasOthers && inStrip[i])) continue;
    left = Math.min(left, places[2 * i]);
    right = Math.max(right, places[2 * i]);
    top = Math.min(top, places[2 * i + 1]);
    bottom = Math.max(bottom, places[2 * i + 1]);
  }
  if (left === Infinity) return;
  const room = free(), wide = Math.max(40, room.right - room.left - 2 * FIT_PAD), high = Math.max(40, room.bottom - room.top - 2 * FIT_PAD);
  view.scale = Math.min(wide / Math.max(right - left, 400), high / Math.max(bottom - top, 400));
  view.x = (room.left + room.right) / 2 - ((left + right) / 2) * view.scale;
  view.y = (room.top + room.bottom) / 2 - ((top + bottom) / 2) * view.scale;
  if (hasOthers) clearStrip(room, top * view.scale + view.y);
}

// Move the view so that the edge of the window cuts no row of the strip: all rows are in it, or none. It moves
// as little as it can.
function clearStrip({ top, bottom }, highest) {
  let first = Infinity, last = -Infinity;
  for (let i = 0; i < count; i++) {
    if (!shown[i] || !inStrip[i]) continue;
    first = Math.min(first, toY(i) - radiusOf(i));
    last = Math.max(last, toY(i) + radiusOf(i));
  }
  if (first >= bottom || last <= bottom) return;
  const up = last + FIT_PAD - bottom, down = bottom - first;
  view.y += up < down && highest - up >= top + FIT_PAD ? -up : down;
}

function zoom(factor, x, y) {
  const scale = Math.min(4, Math.max(0.0005, view.scale * factor)), change = scale / view.scale;
  view.x = x - (x - view.x) * change;
  view.y = y - (y - view.y) * change;
  view.scale = scale;
  moved();
}

function pan(x, y) {
  view.x += x;
  view.y += y;
  moved();
}

function bringIntoView(sound) {
  const room = free(), x = toX(sound), y = toY(sound);
  if (x < room.left + 20 || x > room.right - 20 || y < room.top + 20 || y > room.bottom - 20) {
    pan((room.left + room.right) / 2 - x, (room.top + room.bottom) / 2 - y);
  }
}

surface.addEventListener("pointerdown", (event) => {
  surface.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  if (fingers.size === 1) travelled = 0;
  pinch = spread();
});
surface.addEventListener("pointermove", (event) => {
  const { clientX: x, clientY: y } = event, before = fingers.get(event.pointerId);
  if (!before) return hover(x, y);
  fingers.set(event.pointerId, [x, y]);
  travelled += Math.abs(x - before[0]) + Math.abs(y - before[1]);
  if (travelled > 6) surface.classList.add("moving");
  const share = 1 / fingers.size;
  view.x += (x - before[0]) * share;
  view.y += (y - before[1]) * share;
  if (fingers.size === 2) {
    const now = spread(), [one, other] = [...fingers.values()];
    if (pinch > 0) zoom(now / pinch, (one[0] + other[0]) / 2, (one[1] + other[1]) / 2);
    pinch = now;
  }
  moved();
});
function lift(event) {
  const wasTap = fingers.size === 1 && travelled <= 6 && event.type === "pointerup";
  fingers.delete(event.pointerId);
  pinch = spread();
  surface.classList.remove("moving");
  if (!wasTap) {
    if (fingers.size) travelled = 100;
    return;
  }
  const sound = soundAt(event.clientX, event.clientY, event.pointerType === "touch" ? 16 : 5);
  if (event.pointerType === "touch") hover(event.clientX, event.clientY);
  if (sound >= 0) open(sound, false);
  else if (opened >= 0) close();
}
surface.addEventListener("pointerup", lift);
surface.addEventListener("pointercancel", lift);
surface.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hover(-1000, -1000); });
surface.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? height : 1);
  zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX, event.clientY);
}, { passive: false });

function spread() {
  const [one, other] = [...fingers.values()];
  return other ? Math.hypot(one[0] - other[0], one[1] - other[1]) : 0;
}

function hover(x, y) {
  const sound = soundAt(x, y, 4), outside = sound < 0 ? contextAt(x, y) : -1;
  surface.classList.toggle("over", sound >= 0);
  if (sound === hovered && outside === hoveredAround) return;
  hoveredAround = outside;
  hint.hidden = sound < 0 && outside < 0;
  if (!hint.hidden) {
    const told = sound >= 0 ? [make("bdi", nameOf(sound)), make("small", ` ${userOf(sound)}`, { dir: "auto" })] : contextHint(outside);
    hint.replaceChildren(...told);
    hint.style.left = `${Math.max(0, Math.min(x + 14, width - 240))}px`;
    hint.style.top = `${Math.min(y + 14, height - 40)}px`;
  }
  lookAt(sound);
}

// What the pointer or the keyboard is at, before it is opened.
function lookAt(sound) {
  if (sound !== hovered) playLookedAt(sound);
  hovered = sound;
  drawAbove();
}

function filter() {
  say(`${counted(choose(), "sound")} shown`);
  if (element("query").value.trim()) search();
  redraw();
}

// Decide which sounds are shown; return their number.
function choose() {
  const group = groups[mode], license = element("license").value, wanted = head.licenses.find(([, label]) => label === license)?.[0];
  const shortest = parseFloat(element("shortest").value), longest = parseFloat(element("longest").value);
  let left = 0;
  for (let i = 0; i < count; i++) {
    const timed = (Number.isNaN(shortest) || seconds[i] >= shortest) && (Number.isNaN(longest) || seconds[i] <= longest);
    shown[i] = timed && !hidden.has(group[i]) && (license === "" || licenseOf[i] === wanted) ? 1 : 0;
    left += shown[i];
  }
  element("counts").textContent = left === count ? head.counts : `${left.toLocaleString("en")} of ${counted(count, "sound")} shown`;
  hovered = -1;
  return left;
}

function legend() {
  element("legend").replaceChildren(...head.modes[mode].labels.map(([group, label, sounds]) => {
    const row = make("li"), button = make("button", undefined, { type: "button", "aria-pressed": String(!hidden.has(group)) });
    const swatch = make("i");
    swatch.style.background = colourOf(group);
    button.append(swatch, make("span", label, { dir: "auto" }), make("small", sounds.toLocaleString("en")));
    button.addEventListener("click", () => {
      if (!hidden.delete(group)) hidden.add(group);
      button.setAttribute("aria-pressed", String(!hidden.has(group)));
      filter();
    });
    row.append(button);
    return row;
  }));
}

// The legend of the lines, where there are other edges than similar ones: similar sounds have a full line.
function lines() {
  if (!hasRelated.some(Boolean)) return;
  element("lines").hidden = false;
  element("lines").replaceChildren(...head.kinds.map(([name, edges], kind) => {
    const row = make("li"), button = make("button", undefined, { type: "button", "aria-pressed": String(!hiddenKinds.has(kind)) });
    button.append(make("i", undefined, { class: isSimilar(kind) ? "similar" : "related" }), make("span", name, { dir: "auto" }), make("small", edges.toLocaleString("en")));
    button.addEventListener("click", () => {
      if (!hiddenKinds.delete(kind)) hiddenKinds.add(kind);
      button.setAttribute("aria-pressed", String(!hiddenKinds.has(kind)));
      chooseLooks();
      redraw();
    });
    row.append(button);
    return row;
  }));
}

function colourBy(wanted) {
  mode = wanted;
  element("colour").value = String(mode);
  hidden = new Set();
  legend();
  filter();
  noteView();
}

function unfold(isFolded = false) {
  panel.classList.toggle("folded", isFolded);
  element("fold").setAttribute("aria-expanded", String(!isFolded));
}

function setTheme(wanted) {
  theme = wanted;
  document.documentElement.dataset.theme = theme;
  legend();
  redraw();
}
