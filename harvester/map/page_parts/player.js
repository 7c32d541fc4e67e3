// Play sounds: several at once, each to its end or in a loop, all under one volume.
// Sounds that the page makes go through one gain node. A preview stays a media element with a volume of its own: a
// browser feeds silence into a gain node from a host that does not permit it (CORS), and from a file.
const MOST_VOICES = 8, HOVER_MS = 160;
const UNPLAYABLE = "▶ The preview cannot be played";
const voices = new Map(), looped = new Set(), failed = new Set();
let volume = 0.8, speaker = null, playsAtHover = false, hoverTimer = 0;

function fileVoice(sound, address) {
  const audio = new Audio();
  const voice = {
    begin: () => { audio.src = address; audio.play().catch(() => ended(sound, voice, true)); },
    end: () => { audio.pause(); audio.removeAttribute("src"); audio.load(); },
    setLevel: (level) => { audio.volume = level; },
    setLoop: (on) => { audio.loop = on; },
  };
  audio.addEventListener("ended", () => ended(sound, voice));
  audio.addEventListener("error", () => ended(sound, voice, true));
  return voice;
}

function madeVoice(sound, make) {
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
  node.addEventListener("ended", () => ended(sound, voice));
  return voice;
}

function play(sound, byHover = false) {
  const source = sourceOf(sound);
  if (!source || voices.has(sound)) return;
  if (voices.size >= MOST_VOICES) stop(voices.keys().next().value);
  const voice = source.make ? madeVoice(sound, source.make) : fileVoice(sound, source.address);
  voice.byHover = byHover;
  voices.set(sound, voice);
  failed.delete(sound);
  voice.setLoop(looped.has(sound));
  setLevels();
  voice.begin();
  showPlaying();
}

function stop(sound) {
  const voice = voices.get(sound);
  if (!voice) return;
  voices.delete(sound);
  voice.end();
  setLevels();
  showPlaying();
}

function stopAll() {
  clearTimeout(hoverTimer);
  for (const sound of [...voices.keys()]) stop(sound);
}

function ended(sound, voice, isFailure = false) {
  if (voices.get(sound) !== voice) return;
  voices.delete(sound);
  if (isFailure) {
    failed.add(sound);
    say(`The preview of ${nameOf(sound)} cannot be played.`);
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
  if (voices.has(sound)) stop(sound);
  else if (sourceOf(sound)) play(sound);
  else say(`${nameOf(sound)} has no preview.`);
}

function toggleLoop(sound) {
  if (!sourceOf(sound)) return;
  if (!looped.delete(sound)) looped.add(sound);
  voices.get(sound)?.setLoop(looped.has(sound));
  say(`Loop ${looped.has(sound) ? "on" : "off"}: ${nameOf(sound)}`);
  showPlaying();
}

// Play what the pointer or the keyboard rests on, if the reader wants it; what began so ends when it is left.
function playLookedAt(sound) {
  clearTimeout(hoverTimer);
  for (const [other, voice] of voices) if (voice.byHover && other !== sound) stop(other);
  if (playsAtHover && sound >= 0) hoverTimer = setTimeout(() => play(sound, true), HOVER_MS);
}

// What the reader opens goes on when the pointer leaves it.
function keepPlaying(sound) {
  clearTimeout(hoverTimer);
  const voice = voices.get(sound);
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
    button.textContent = voices.has(opened) ? "■ Stop" : failed.has(opened) ? UNPLAYABLE : "▶ Play";
    facts.querySelector(".loop").setAttribute("aria-pressed", String(looped.has(opened)));
  }
  const list = element("voices"), at = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  element("playing").hidden = !voices.size;
  list.replaceChildren(...[...voices.keys()].map((sound) => {
    const row = make("li"), loop = make("button", "⟳", { type: "button", "aria-pressed": String(looped.has(sound)), "aria-label": `Loop ${nameOf(sound)}` });
    const end = make("button", "■", { type: "button", "aria-label": `Stop ${nameOf(sound)}` });
    loop.addEventListener("click", () => toggleLoop(sound));
    end.addEventListener("click", () => stop(sound));
    row.append(soundButton(sound, userOf(sound)), loop, end);
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
