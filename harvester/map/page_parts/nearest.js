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

function nearestBySound(sound) {
  if (!nearestStarts || nearestStarts[sound] === nearestStarts[sound + 1]) return [];
  const list = make("ol"), near = [];
  for (let at = nearestStarts[sound]; at < nearestStarts[sound + 1]; at++) near.push([nearestTargets[at], (nearestScores[at] / 65535).toFixed(3)]);
  list.append(...rows(near));
  return [make("h3", "Nearest by sound"), list];
}
