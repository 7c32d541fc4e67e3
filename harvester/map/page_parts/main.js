// Start: fill the controls, fit the view, draw once; after that the page reacts to input.
for (const [place_, known] of head.modes.entries()) element("colour").append(make("option", known.name, { value: place_ }));
element("colour").value = mode;
// The values are texts: newer data may number the licenses anew.
derive(() => {
  // While a reader chooses, the list stays as it is.
  if (document.activeElement === element("license")) return;
  const chosen = element("license").value;
  element("license").replaceChildren(make("option", "All", { value: "" }), ...head.licenses.map(
    ([, label, sounds]) => make("option", `${label} (${sounds.toLocaleString("en")})`, { value: label })));
  element("license").value = chosen;
});
element("colour").addEventListener("change", (event) => colourBy(Number(event.target.value)));
for (const id of ["license", "shortest", "longest"]) element(id).addEventListener("input", filter);
panel.addEventListener("submit", (event) => event.preventDefault());
element("query").addEventListener("input", search);
element("nearer").addEventListener("click", () => zoom(1.5, width / 2, height / 2));
element("farther").addEventListener("click", () => zoom(1 / 1.5, width / 2, height / 2));
element("fit").addEventListener("click", () => { fit(); moved(); });
element("theme").addEventListener("click", () => setTheme(theme === "dark" ? "light" : "dark"));
element("close").addEventListener("click", () => { close(); surface.focus(); });
element("fold").addEventListener("click", () => unfold(!panel.classList.contains("folded")));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
addEventListener("resize", () => {
  const { at } = readAddress();
  resize();
  // A browser may tell the size of its window after the page was loaded: the view of the address stays.
  if (at) look(at); else fit();
  redraw();
});

if (innerWidth < 736) unfold(true);
lines();
setTheme(theme);
resize();
fit();
drawAll();
performance.mark("drawn");
follow();
if (kept.length) showKept();
// The texts are parsed when the page is idle, so that the first hover or click does not wait for them.
const readAhead = () => (moving ? setTimeout(readAhead, 1000) : wordsOf());
(window.requestIdleCallback || setTimeout)(readAhead);
// For pages that embed the map, and for its tests: the place of a sound on the screen.
window.placeOf = (id) => { const sound = soundOf(id); return sound < 0 ? null : [toX(sound), toY(sound)]; };
