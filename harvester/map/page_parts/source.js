// Where what one hears of a sound comes from: a file beside the page, made in the page, or a file at an address. It is
// null for a sound that cannot be played; nothing is loaded here.
function sourceOf(sound) {
  if (isMade(sound) && !isLocal(sound)) return { make: (context) => madeSound(context, sound) };
  const address = addressOf("preview", sound);
  return address ? { address } : null;
}
