// On an upright window, as on a phone, the map stands upright too: its longer side is turned down, and it is drawn
// narrower, so that it uses the height. Elsewhere places stay as they are. Both directions are simple, because an
// address holds places of the map as it was made.
const MOST_NARROW = 1.6, UPRIGHT = 1.2, PANEL_HIGH = 60;
const shape = { isUpright: false, narrow: 1, scale: 1, left: 0, top: 0, density: 1 };

const turn = (x, y) => (shape.isUpright ? [y / shape.narrow, x] : [x, y]);

// Return places, x and y in turn, as they are drawn.
function shaped(flat) {
  if (!shape.isUpright) return flat;
  const drawn = new Float32Array(flat.length);
  for (let at = 0; at < flat.length; at += 2) {
    const [x, y] = turn(flat[at], flat[at + 1]);
    drawn[at] = (x - shape.left) * shape.scale;
    drawn[at + 1] = (y - shape.top) * shape.scale;
  }
  return drawn;
}

function unshaped(x, y) {
  if (!shape.isUpright) return [x, y];
  return [y / shape.scale + shape.top, (x / shape.scale + shape.left) * shape.narrow];
}

// Choose the shape for this window, and return the places of all sounds in it. The strip comes in rows below the rest.
function takeShape(flat) {
  Object.assign(shape, { isUpright: false, narrow: 1, scale: 1, left: 0, top: 0, density: 1 });
  const strip = [], free = innerHeight - PANEL_HIGH;
  if (count < 3 || free < innerWidth * UPRIGHT) return flat;
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < count; i++) {
    if (inStrip[i]) { strip.push(i); continue; }
    left = Math.min(left, flat[2 * i]);
    right = Math.max(right, flat[2 * i]);
    top = Math.min(top, flat[2 * i + 1]);
    bottom = Math.max(bottom, flat[2 * i + 1]);
  }
  const wide = Math.max(bottom - top, 1), high = Math.max(right - left, 1); // as it will stand
  shape.isUpright = true;
  shape.narrow = Math.min(MOST_NARROW, Math.max(1, (free / innerWidth) * (wide / high)));
  const columns = Math.max(1, Math.floor(Math.sqrt(count) * 1.5 / shape.narrow)), pitch = wide / shape.narrow / columns;
  const most = high + (strip.length ? (2 + Math.ceil(strip.length / columns)) * pitch : 0);
  [shape.left, shape.top] = [top / shape.narrow, left];
  shape.scale = 65535 / Math.max(most, wide / shape.narrow);
  shape.density = shape.scale / Math.sqrt(shape.narrow);
  const drawn = shaped(flat);
  strip.forEach((sound, at) => {
    drawn[2 * sound] = (at % columns) * pitch * shape.scale;
    drawn[2 * sound + 1] = (high + (2 + Math.floor(at / columns)) * pitch) * shape.scale;
  });
  return drawn;
}
