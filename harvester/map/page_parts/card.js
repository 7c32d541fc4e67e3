// The card of a sound. Data from Freesound is inserted as text only; the page loads nothing before the reader acts.
const card = element("card"), facts = element("facts");
let hasActed = false;
for (const kind of ["pointerdown", "keydown", "click"]) addEventListener(kind, () => { hasActed = true; }, { capture: true });

function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function lasting(value) {
  if (!Number.isFinite(value)) return "";
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  const whole = Math.round(value), pad = (part) => String(part).padStart(2, "0");
  return whole < 3600 ? `${Math.floor(whole / 60)}:${pad(whole % 60)} min` : `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)} h`;
}

function soundButton(sound, beside) {
  const button = make("button", undefined, { type: "button", class: "sound" });
  button.append(make("span", nameOf(sound), { class: "name", dir: "auto" }), make("small", beside, { dir: "auto" }));
  button.addEventListener("click", () => open(sound));
  button.addEventListener("pointerenter", () => lookAt(sound));
  button.addEventListener("pointerleave", () => lookAt(-1));
  return button;
}

// A sound of which only the id may be known here: it is opened where the map has it.
function lineOf(id, name = `sound ${id}`) {
  const sound = soundOf(id);
  return sound < 0 ? make("span", name, { class: "quiet name", dir: "auto" }) : soundButton(sound, userOf(sound));
}

function open(sound, focus = true) {
  keepPlaying(sound);
  opened = sound;
  hovered = hoveredAround = -1;
  element("hint").hidden = true;
  const all = wordsOf();
  fillCard();
  card.hidden = false;
  card.scrollTop = 0;
  document.body.classList.add("reading");
  if (innerWidth < 736) element("panel").classList.add("folded");
  bringIntoView(sound);
  showKept();
  if (playsAtHover) playLookedAt(sound);
  writeAddress(true);
  if (focus) element("name").focus({ preventScroll: true });
  const similar = edgesFrom(sound, hasSimilar).length, related = edgesFrom(sound, hasRelated).length;
  say(`${nameOf(sound)} by ${userOf(sound)}, ${similar} similar sounds${related ? `, ${related} related sounds` : ""}`);
  document.dispatchEvent(new CustomEvent("opened", { detail: all.ids[sound] }));
}

// Fill the card with what is known of the open sound.
function fillCard() {
  element("name").textContent = nameOf(opened);
  facts.replaceChildren(...media(opened), ...acts(opened), details(opened), tagList(opened), ...neighbours(opened), ...nearestBySound(opened), ...relatives(opened));
  showPlaying();
  showPathAct();
}

function media(sound) {
  if (isMade(sound)) return madeMedia(sound);
  const address = addressOf("image", sound);
  if (address && !hasActed) {
    // A deep link opens a card before its reader has agreed to any request.
    const show = make("button", "Load the waveform", { type: "button", class: "nothing" });
    show.addEventListener("click", () => show.replaceWith(...media(sound)));
    return [show];
  }
  if (address) {
    const image = make("img", undefined, { class: "wave", alt: `Waveform of ${nameOf(sound)}`, referrerpolicy: "no-referrer" });
    image.addEventListener("error", () => image.replaceWith(make("p", "The waveform cannot be loaded.", { class: "nothing" })));
    image.src = address;
    return [image];
  }
  const why = addressOf("preview", sound) ? "There is no waveform of this sound." : "There is neither a waveform nor a preview of this sound.";
  return [make("p", why, { class: "nothing" })];
}

function acts(sound) {
  const row = make("div", undefined, { class: "acts" }), page = addressOf("page", sound);
  row.append(...soundActs(sound), keepAct(sound), pathAct(sound));
  if (page) row.append(make("a", "On Freesound ↗", { href: page, target: "_blank", rel: "noopener noreferrer" }));
  return [row];
}

function details(sound) {
  const all = wordsOf(), list = make("dl"), license = all.licenses[all.license[sound]] || ["", ""];
  const line = (name, value) => { if (value) list.append(make("dt", name), typeof value === "string" ? make("dd", value, { dir: "auto" }) : value); };
  const deed = make("dd");
  deed.append(/^https?:\/\//.test(license[1]) ? make("a", license[0], { href: license[1], target: "_blank", rel: "noopener noreferrer" }) : license[0]);
  line("by", userOf(sound));
  line("license", license[0] ? deed : "");
  line("category", all.categories[all.category[sound]]);
  line("length", lasting(seconds[sound]));
  line("uploaded", all.created[sound]);
  if (all.downloads[sound] >= 0) line("downloads", all.downloads[sound].toLocaleString("en"));
  if (all.ratings[sound]) line("rated", `${(all.rating[sound] / 100).toFixed(1)} of 5 by ${all.ratings[sound]}`);
  if (all.comments[sound]) line("comments", String(all.comments[sound]));
  line("gen-AI wish", all.wishes[all.wish[sound]]);
  return list;
}

function tagList(sound) {
  const list = make("div", undefined, { class: "tags" });
  for (const tag of tagsOf(sound)) {
    const button = make("button", tag, { type: "button", dir: "auto", "aria-label": `Search for the tag ${tag}` });
    button.addEventListener("click", () => { element("query").value = tag; search(); });
    list.append(button);
  }
  return list;
}

function edgesFrom(sound, has) {
  const found = [];
  for (let edge = starts[sound]; edge < starts[sound + 1]; edge++) if (has[looks[edge]]) found.push(edge);
  return found;
}

function rows(pairs) {
  return pairs.map(([sound, beside]) => {
    const row = make("li");
    row.append(soundButton(sound, beside));
    return row;
  });
}

function neighbours(sound) {
  const list = make("ol");
  list.append(...rows(edgesFrom(sound, hasSimilar).map((edge) => [targets[edge], scoreOf(edge).toFixed(3)])));
  if (!list.childElementCount) {
    const listed = edgesTo(sound).filter(([, edge]) => hasSimilar[looks[edge]]);
    // A map of relations alone says nothing about similar sounds.
    if (!listed.length && !hasSimilar.some(Boolean) && hasRelated.some(Boolean)) return [];
    list.append(make("li", listed.length ? `Its own list is not here; it is in that of ${counted(listed.length, "sound")}:` : "None in this map.", { class: "quiet" }));
    list.append(...rows(listed.slice(0, 50).map(([source]) => [source, userOf(source)])));
  }
  return [make("h3", "Similar sounds"), list];
}

function relatives(sound) {
  if (!hasRelated.some(Boolean)) return [];
  const list = make("ol"), own = edgesFrom(sound, hasRelated);
  const back = edgesTo(sound).filter(([source, edge]) => hasRelated[looks[edge]] && !own.some((one) => targets[one] === source));
  list.append(...rows(own.map((edge) => [targets[edge], relationsOf(edge)])));
  list.append(...rows(back.slice(0, 50).map(([source, edge]) => [source, `← ${relationsOf(edge)}`])));
  if (!list.childElementCount) list.append(make("li", "None in this map.", { class: "quiet" }));
  return [make("h3", "Related sounds"), list];
}

function close() {
  opened = -1;
  card.hidden = true;
  document.body.classList.remove("reading");
  writeAddress(true);
  drawAbove();
}

const say = (text) => { element("says").textContent = text; };
