// Made-up sounds: made here from id, length and timbre, as sandbox/sound_recipe.py and synthesis.py make them.
let timbres, made; // made: the samples of the sound that was last made
derive(() => {
  timbres = packed.timbres ? unpack("timbres", Uint8Array) : null;
  made = { sound: -1, samples: null };
});
const RATE = 22050, LONGEST = 5, TAU = 2 * Math.PI;

function recipeOf(sound) {
  const id = wordsOf().ids[sound];
  let seed = id >>> 0;
  seed = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b) >>> 0;
  seed = Math.imul(seed ^ (seed >>> 13), 0xc2b2ae35) >>> 0;
  seed = (seed ^ (seed >>> 16)) >>> 0;
  const pitch = 110 * 2 ** ([0, 3, 5, 7, 10, 12, 15, 17, 19, 22][seed % 10] / 12);
  const length = seconds[sound] > 0 && seconds[sound] < Infinity ? Math.min(seconds[sound], LONGEST) : 1;
  return { timbre: timbres[sound], pitch, seed, count: Math.max(1, Math.floor(length * RATE + 0.5)) };
}

function noiseOf(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 0x80000000 - 1;
}

// Each sample is shape(age of its note in seconds, pitch, share of the note to come).
function notes({ seed, pitch, count }, aBeat, shape) {
  const length = Math.max(1, Math.floor(((0.3 + (0.3 * ((seed >>> 8) & 255)) / 255) * RATE) / aBeat));
  return Float64Array.from({ length: count }, (_, at) => {
    const note = Math.floor(at / length), begun = note * length;
    const step = [0, 3, 7, 12][(seed >>> (12 + 2 * (note % 8))) & 3];
    return shape((at - begun) / RATE, pitch * 2 ** (step / 12), 1 - (at - begun) / length);
  });
}

const fading = (rate, age) => Math.exp(-rate * age);

const TIMBRES = [
  function rain({ seed, pitch, count }) {
    const draw = noiseOf(seed);
    let low = 0, drop = 0, tone = 0, fallen = 0;
    return Float64Array.from({ length: count }, (_, at) => {
      const white = draw();
      low += 0.2 * (white - low);
      if (at % 441 === 0) {
        drop = Math.max(0, draw());
        fallen = at;
        tone = (TAU * 8 * pitch * (1 + drop)) / RATE;
      }
      return 0.3 * (white - low) + drop * Math.sin(tone * (at - fallen)) * fading(200, (at - fallen) / RATE);
    });
  },
  function drum(recipe) {
    const draw = noiseOf(recipe.seed);
    return notes(recipe, 1, (age, pitch, left) => {
      const body = Math.sin(TAU * pitch * (0.5 * age + 0.05 * (1 - fading(30, age))));
      return (body * fading(7, age) + 0.4 * draw() * fading(40, age)) * left;
    });
  },
  function pluck(recipe) {
    const draw = noiseOf(recipe.seed);
    let string = null, place = 0;
    return notes(recipe, 1, (age, pitch, left) => {
      if (age === 0) {
        string = Float64Array.from({ length: Math.floor(RATE / pitch + 0.5) }, draw);
        const mean = string.reduce((sum, one) => sum + one, 0) / string.length;
        string = string.map((one) => one - mean);
        place = 0;
      }
      const value = string[place], after = (place + 1) % string.length;
      string[place] = 0.498 * (value + string[after]);
      place = after;
      return value * left;
    });
  },
  (recipe) => notes(recipe, 1, function bell(age, pitch, left) {
    const phase = TAU * 2 * pitch * age;
    return Math.sin(phase + 2.5 * fading(4, age) * Math.sin(1.41 * phase)) * fading(3, age) * left;
  }),
  function pad({ pitch, count }) {
    return Float64Array.from({ length: count }, (_, at) => {
      const age = at / RATE, phase = TAU * pitch * age;
      const chord = Math.sin(phase) + Math.sin(1.503 * phase) + Math.sin(1.995 * phase);
      return chord * Math.min(1, age / 0.08) * (0.7 + 0.3 * Math.sin(TAU * 1.5 * age));
    });
  },
  (recipe) => notes(recipe, 4, function clicks(age, pitch) {
    return Math.sin(TAU * 9 * pitch * age) * fading(120, age);
  }),
  (recipe) => notes(recipe, 2, function chirp(age, pitch, left) {
    return Math.sin(TAU * 6 * pitch * age * (1 + 0.5 * (1 - left))) * Math.sin(Math.PI * left);
  }),
  function burst(recipe) {
    const draw = noiseOf(recipe.seed);
    let low = 0;
    return notes(recipe, 1, (age, _, left) => {
      low += 0.3 * (draw() - low);
      return low * (0.2 + fading(5, age)) * left;
    });
  },
];

const isMade = (sound) => timbres !== null && timbres[sound] < TIMBRES.length;

// Return the samples of a made-up sound, -1 to 1.
function samplesOf(sound) {
  if (made.sound === sound) return made.samples;
  const recipe = recipeOf(sound), { count } = recipe, raw = TIMBRES[recipe.timbre](recipe);
  let power = 0, peak = 0;
  for (const one of raw) {
    power += one * one;
    peak = Math.max(peak, Math.abs(one));
  }
  const gain = power ? Math.min(0.15 / Math.sqrt(power / count), 0.9 / peak) : 0;
  const fade = Math.min(count, Math.floor(0.01 * RATE));
  for (let at = 1; at <= fade; at++) raw[count - at] *= (at - 1) / fade;
  made = { sound, samples: Float32Array.from(raw, (one) => one * gain) };
  return made.samples;
}

// Return an AudioBuffer of a made-up sound. A page may start an AudioContext only inside a click.
function madeSound(context, sound) {
  const samples = samplesOf(sound), buffer = context.createBuffer(1, samples.length, RATE);
  buffer.copyToChannel(samples, 0);
  return buffer;
}

// Draw a column from the least to the greatest sample for each pixel of the width.
function drawWave(canvas, samples) {
  const brush = canvas.getContext("2d"), { width, height } = canvas, middle = height / 2;
  brush.clearRect(0, 0, width, height);
  brush.fillStyle = "#4dd0a5";
  for (let column = 0; column < width; column++) {
    const start = Math.floor((column * samples.length) / width), end = Math.floor(((column + 1) * samples.length) / width);
    let least = 0, greatest = 0;
    for (let at = start; at < Math.max(start + 1, end); at++) {
      least = Math.min(least, samples[at]);
      greatest = Math.max(greatest, samples[at]);
    }
    brush.fillRect(column, middle - greatest * middle, 1, Math.max(1, (greatest - least) * middle));
  }
}

// Return what the card of a made-up sound shows: its waveform, and what is left out of a long one.
function madeMedia(sound) {
  const canvas = make("canvas", undefined, { class: "wave", role: "img", "aria-label": `Waveform of ${nameOf(sound)}`, width: 600, height: 355 });
  drawWave(canvas, samplesOf(sound));
  return seconds[sound] > LONGEST ? [canvas, make("p", `Made up in this page: its first ${LONGEST} seconds.`, { class: "quiet" })] : [canvas];
}
