// Play sounds: several at once, each to its end or in a loop, all under one volume. Voices are known by a sound's id.
// Sounds that the page makes go through one gain node. A preview stays a media element with a volume of its own: a
// browser feeds silence into a gain node from a host that does not permit it (CORS), and from a file.
const MOST_VOICES = 8, HOVER_MS = 160;
const UNPLAYABLE = "▶ The preview cannot be played";
const voices = new Map(), looped = new Set(), failed = new Set();
let volume = 0.8, speaker = null, playsAtHover = false, hoverTimer = 0;

function fileVoice(id, address) {
  const audio = new Audio();
  const voice = {
    begin: () => { audio.src = address; audio.play().catch(() => ended(id, voice, true)); },
    end: () => { audio.pause(); audio.removeAttribute("src"); audio.load(); },
    setLevel: (level) => { audio.volume = level; },
    setLoop: (on) => { audio.loop = on; },
  };
  audio.addEventListener("ended", () => ended(id, voice));
  audio.addEventListener("error", () => ended(id, voice, true));
  return voice;
}

function madeVoice(id, make) {
  if (!speaker) {
    const context = new AudioContext(), gain = context.createGain();
    gain.connect(context.destination);
    speaker = { context, gain };
  }
  const { context, gain } = speaker, node = context.createBufferSource();
  const voice = {
    begin: () => { node.buffer = make(context); node.connect(gain); context.resume(); node.start(); },
    end: () => { node.stop(); node.disconnect(); },
    setLevel: (level) => { gain.gain.value = level; },
    setLoop: (on) => { node.loop = on; },
  };
  node.addEventListener("ended", () => ended(id, voice));
  return voice;
}

function play(sound, byHover = false) {
  const source = sourceOf(sound), id = idOf(sound);
  if (!source || voices.has(id)) return;
  if (voices.size >= MOST_VOICES) stop(voices.keys().next().value);
  const voice = source.make ? madeVoice(id, source.make) : fileVoice(id, source.address);
  Object.assign(voice, { byHover, name: nameOf(sound) });
  voices.set(id, voice);
  failed.delete(id);
  voice.setLoop(looped.has(id));
  setLevels();
  voice.begin();
  showPlaying();
}

function stop(id) {
  const voice = voices.get(id);
  if (!voice) return;
  voices.delete(id);
  voice.end();
  setLevels();
  showPlaying();
}

function stopAll() {
  clearTimeout(hoverTimer);
  for (const id of [...voices.keys()]) stop(id);
}

function ended(id, voice, isFailure = false) {
  if (voices.get(id) !== voice) return;
  voices.delete(id);
  if (isFailure) {
    failed.add(id);
    say(`The preview of ${voice.name} cannot be played.`);
  }
  setLevels();
  showPlaying();
}

// Several sounds share the volume, so that together they do not overload the output.
function setLevels() {
  const level = volume / Math.sqrt(Math.max(voices.size, 1));
  for (const voice of voices.values()) voice.setLevel(level);
}

function togglePlaying(sound) {
  const isPlaying = voices.has(idOf(sound));
  if (isPlaying) stop(idOf(sound));
  else play(sound);
  if (sourceOf(sound)) say(`${isPlaying ? "Stopped" : "Playing"}: ${nameOf(sound)}`);
  else say(`${nameOf(sound)} has no preview.`);
}

function toggleLoop(sound) {
  if (sourceOf(sound)) setLoop(idOf(sound), nameOf(sound));
}

function setLoop(id, name) {
  if (!looped.delete(id)) looped.add(id);
  voices.get(id)?.setLoop(looped.has(id));
  say(`Loop ${looped.has(id) ? "on" : "off"}: ${name}`);
  showPlaying();
}

// Play what the pointer or the keyboard rests on, if the reader wants it; what began so ends when it is left.
function playLookedAt(sound) {
  clearTimeout(hoverTimer);
  for (const [id, voice] of voices) if (voice.byHover && soundOf(id) !== sound) stop(id);
  if (playsAtHover && sound >= 0) hoverTimer = setTimeout(() => play(sound, true), HOVER_MS);
}

// What the reader opens goes on when the pointer leaves it.
function keepPlaying(sound) {
  clearTimeout(hoverTimer);
  const voice = voices.get(idOf(sound));
  if (voice) voice.byHover = false;
}

function soundActs(sound) {
  if (!sourceOf(sound)) return [];
  const play = make("button", "", { type: "button", class: "play" }), loop = make("button", "⟳ Loop", { type: "button", class: "loop" });
  play.addEventListener("click", () => togglePlaying(sound));
  loop.addEventListener("click", () => toggleLoop(sound));
  return [play, loop];
}

function showPlaying() {
  const button = facts.querySelector(".play");
  if (button) {
    const id = idOf(opened);
    button.textContent = voices.has(id) ? "■ Stop" : failed.has(id) ? UNPLAYABLE : "▶ Play";
    facts.querySelector(".loop").setAttribute("aria-pressed", String(looped.has(id)));
  }
  const list = element("voices"), at = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  element("playing").hidden = !voices.size;
  list.replaceChildren(...[...voices].map(([id, { name }]) => {
    const row = make("li"), loop = make("button", "⟳", { type: "button", "aria-pressed": String(looped.has(id)), "aria-label": `Loop ${name}` });
    const end = make("button", "■", { type: "button", "aria-label": `Stop ${name}` });
    loop.addEventListener("click", () => setLoop(id, name));
    end.addEventListener("click", () => stop(id));
    row.append(lineOf(id, name), loop, end);
    return row;
  }));
  if (at >= 0) (list.querySelectorAll("button")[at] || (voices.size ? element("silence") : surface)).focus();
}

element("volume").addEventListener("input", (event) => {
  volume = event.target.valueAsNumber;
  setLevels();
});
element("silence").addEventListener("click", () => { stopAll(); surface.focus(); });
element("hovering").addEventListener("change", (event) => {
  playsAtHover = event.target.checked;
  if (!playsAtHover) playLookedAt(-1);
});
