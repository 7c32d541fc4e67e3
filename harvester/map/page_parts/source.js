// Where what one hears of a sound comes from. It is null for a sound that cannot be played; nothing is loaded here.
function sourceOf(sound) {
  const address = addressOf("preview", sound);
  return address ? { address } : null;
}
