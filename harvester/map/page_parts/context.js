// Neighbours of the selected sounds that were not selected: small grey dots below the others. They have no card, no
// colour and no place in the search; under the pointer one says what it is and shows its edges.
let around;
derive(() => {
  around = head.context ? {
    places: shaped(unpack("contextPlaces", Uint16Array)),
    starts: new Uint32Array(head.context + 1),
    near: unpack("contextNear", head.wide ? Uint32Array : Uint16Array),
  } : null;
  if (around) unpack("contextDegrees", Uint16Array).forEach((degree, i) => { around.starts[i + 1] = around.starts[i] + degree; });
});
const contextX = (one, at = view) => around.places[2 * one] * at.scale + at.x;
const contextY = (one, at = view) => around.places[2 * one + 1] * at.scale + at.y;
const contextRadius = (at = view) => Math.min(3, Math.max(0.8, spacing * at.scale * 0.16));
// The shown sounds that a dot has an edge with; without one it is not drawn.
const linkedTo = (one) => around.near.subarray(around.starts[one], around.starts[one + 1]).filter((sound) => shown[sound]);
const isThere = (one) => around.near.subarray(around.starts[one], around.starts[one + 1]).some((sound) => shown[sound]);
const FEW_LINKS = 800;
let hoveredAround = -1;

function paintContext(pen, at) {
  if (!around) return;
  const radius = contextRadius(at);
  paintLinks(pen, at);
  pen.fillStyle = theme === "dark" ? "#4a525e" : "#c3c0b8";
  pen.beginPath();
  for (let i = 0; i < head.context; i++) {
    if (!isThere(i)) continue;
    const x = contextX(i, at), y = contextY(i, at);
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 7);
  }
  pen.fill();
}

// Hairlines, where there are few: many would hide the picture, and take the time of a frame.
function paintLinks(pen, at) {
  if (around.near.length > FEW_LINKS) return;
  pen.strokeStyle = theme === "dark" ? "#4a525e66" : "#c3c0b877";
  pen.lineWidth = 0.7;
  pen.beginPath();
  for (let i = 0; i < head.context; i++) {
    for (const sound of linkedTo(i)) {
      pen.moveTo(contextX(i, at), contextY(i, at));
      pen.lineTo(toX(sound, at), toY(sound, at));
    }
  }
  pen.stroke();
}

function contextAt(x, y) {
  if (!around) return -1;
  let best = -1, least = contextRadius() + 4;
  for (let i = 0; i < head.context; i++) {
    const distance = Math.hypot(contextX(i) - x, contextY(i) - y);
    if (distance < least && isThere(i)) { least = distance; best = i; }
  }
  return best;
}

function drawContext(pen) {
  if (hoveredAround < 0) return;
  const x = contextX(hoveredAround), y = contextY(hoveredAround);
  pen.strokeStyle = pen.fillStyle = theme === "dark" ? "#9aa4b2" : "#5d6570";
  pen.lineWidth = 1;
  pen.beginPath();
  for (const sound of linkedTo(hoveredAround)) {
    pen.moveTo(x, y);
    pen.lineTo(toX(sound), toY(sound));
  }
  pen.stroke();
  pen.beginPath();
  pen.arc(x, y, contextRadius() + 1.5, 0, 7);
  pen.fill();
}

function contextHint(one) {
  const all = wordsOf(), [name, user] = all.context[one];
  return [make("bdi", name), make("small", ` ${user}`, { dir: "auto" }), make("small", " · not selected")];
}
