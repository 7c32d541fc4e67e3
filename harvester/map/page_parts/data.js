// The page's data: places and edges are decoded at once, the sounds' texts when they are first needed.
const element = (id) => document.getElementById(id);
const counted = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
const readJson = (id) => JSON.parse(element(id).textContent);
let head = readJson("head"), packed = readJson("arrays");

function unpack(name, Type) {
  const text = atob(packed[name]);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new Type(bytes.buffer);
}

// Marks are bits, the lowest of a byte first.
const bit = (bits, at) => (bits[at >> 3] >> (at & 7)) & 1;

// What follows from the data is derived once, and again when a live page takes newer data.
const derivations = [];
function derive(make) {
  make();
  derivations.push(make);
}

let count, places, inStrip, sizes, seconds, targets, scores, strong, looks, weights, groups, licenseOf, starts;
derive(() => {
  count = head.sounds;
  const flat = unpack("places", Uint16Array);
  const alone = packed.alone ? unpack("alone", Uint8Array) : null;
  inStrip = Uint8Array.from({ length: count }, (_, i) => (alone ? bit(alone, i) : 0));
  places = takeShape(flat);
  sizes = unpack("sizes", Uint8Array);
  seconds = unpack("seconds", Float32Array);
  targets = unpack("targets", head.wide ? Uint32Array : Uint16Array);
  scores = unpack("scores", Uint16Array);
  // A bit for each edge that is drawn while the pointer rests, where that is not all.
  strong = packed.strong ? unpack("strong", Uint8Array) : null;
  // The look of an edge is the set of its kinds. Both arrays are there only where they say something.
  looks = packed.looks ? unpack("looks", Uint8Array) : new Uint8Array(targets.length);
  weights = packed.weights ? unpack("weights", Float32Array) : null;
  groups = head.modes.map((mode) => unpack(mode.key, Uint8Array));
  licenseOf = unpack("licenses", Uint8Array);
  starts = new Uint32Array(count + 1);
  const degrees = unpack("degrees", Uint32Array);
  for (let i = 0; i < count; i++) starts[i + 1] = starts[i] + degrees[i];
});
const scoreOf = (edge) => head.lowest + (scores[edge] / 65535) * (head.highest - head.lowest);

// What is drawn of the edges of each look: nothing, a line of similar sounds, or one of related sounds.
const NOTHING = 0, AS_SIMILAR = 1, AS_RELATED = 2;
const isSimilar = (kind) => head.kinds[kind][0] === "similar";
let hasSimilar, hasRelated;
const hiddenKinds = new Set();
let drawnAs = [];
function chooseLooks() {
  drawnAs = head.looks.map((kinds) => {
    const left = kinds.filter((kind) => !hiddenKinds.has(kind));
    return left.length === 0 ? NOTHING : left.some(isSimilar) ? AS_SIMILAR : AS_RELATED;
  });
}
derive(() => {
  hasSimilar = head.looks.map((kinds) => kinds.some(isSimilar));
  hasRelated = head.looks.map((kinds) => !kinds.every(isSimilar));
  chooseLooks();
});

function relationsOf(edge) {
  const names = head.looks[looks[edge]].filter((kind) => !isSimilar(kind)).map((kind) => head.kinds[kind][0].replace(/^relation:/, ""));
  const weight = weights ? weights[edge] : NaN;
  return names.join(", ") + (Number.isNaN(weight) ? "" : ` ${Number(weight.toPrecision(3))}`);
}

let incoming; // the edges to each sound and where they start: computed from the edges on first use
derive(() => { incoming = null; });
function edgesTo(sound) {
  if (!incoming) {
    const begin = new Uint32Array(count + 1), sources = new Uint32Array(targets.length), edges = new Uint32Array(targets.length);
    for (const target of targets) begin[target + 1]++;
    for (let i = 0; i < count; i++) begin[i + 1] += begin[i];
    const next = begin.slice();
    for (let i = 0; i < count; i++) for (let e = starts[i]; e < starts[i + 1]; e++) {
      const at = next[targets[e]]++;
      sources[at] = i;
      edges[at] = e;
    }
    incoming = { begin, sources, edges };
  }
  const found = [];
  for (let at = incoming.begin[sound]; at < incoming.begin[sound + 1]; at++) found.push([incoming.sources[at], incoming.edges[at]]);
  return found;
}

let words = null, soundsById;
derive(() => { soundsById = null; });
function wordsOf() {
  words ||= readJson("sounds");
  return words;
}

// Return the sound with an id, or -1: other programs' ids come from addresses and stored lists.
function soundOf(id) {
  soundsById ||= new Map(wordsOf().ids.map((one, sound) => [one, sound]));
  return soundsById.get(id) ?? -1;
}
const idOf = (sound) => wordsOf().ids[sound];
const nameOf = (sound) => wordsOf().names[sound] || `sound ${wordsOf().ids[sound]}`;
const userOf = (sound) => wordsOf().users[wordsOf().user[sound]] || "";
const tagsOf = (sound) => wordsOf().tag[sound].map((tag) => wordsOf().tags[tag]);

// Addresses are stored as patterns; only http and https addresses become links.
function addressOf(kind, sound) {
  const all = wordsOf(), pattern = all[kind][sound];
  if (kind === "preview" && isLocal(sound)) return localPreview(all.ids[sound], all.local[sound]);
  if (pattern < 0) return "";
  const id = all.ids[sound];
  const filled = all.patterns[pattern].replace(/\{(id|dir|user|uid)\}/g, (_, part) => ({
    id, dir: Math.floor(id / 1000), user: encodeURIComponent(userOf(sound)), uid: all.uid[sound],
  })[part]);
  return /^https?:\/\//.test(filled) ? filled : "";
}

const isLocal = (sound) => Boolean(wordsOf().local?.[sound]);

// A preview in the folder that the map names, such as ./previews/5.ogg.
function localPreview(id, ending) {
  return `${head.previews}${Number(id)}.${["", "mp3", "ogg"][ending]}`;
}

let shown;
derive(() => { shown = new Uint8Array(count).fill(1); });
