// The nearest sounds by vectors that a sound's similar list does not have. The arrays are there only where there are some.
let nearestStarts, nearestTargets, nearestScores;
derive(() => {
  nearestStarts = null;
  if (!packed.nearest) return;
  const counts = unpack("nearestCounts", Uint8Array);
  nearestStarts = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) nearestStarts[i + 1] = nearestStarts[i] + counts[i];
  nearestTargets = unpack("nearest", head.wide ? Uint32Array : Uint16Array);
  nearestScores = unpack("nearestScores", Uint16Array);
});

// Pairs of a sound and its score, best first.
function nearestOf(sound) {
  const near = [];
  if (nearestStarts) for (let at = nearestStarts[sound]; at < nearestStarts[sound + 1]; at++) near.push([nearestTargets[at], (nearestScores[at] / 65535).toFixed(3)]);
  return near;
}

function nearestBySound(sound) {
  const list = make("ol"), near = nearestOf(sound);
  if (!near.length) return [];
  list.append(...rows(near));
  return [make("h3", "Nearest by sound"), list];
}
