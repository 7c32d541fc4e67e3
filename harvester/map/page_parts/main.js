// Start: fill the controls, fit the view, draw once; after that the page reacts to input.
for (const [place_, known] of head.modes.entries()) element("colour").append(make("option", known.name, { value: place_ }));
derive(() => {
  // While a reader chooses, the list stays as it is.
  if (document.activeElement === element("license")) return;
  const chosen = element("license").value;
  element("license").replaceChildren(make("option", "All", { value: "" }), ...head.licenses.map(
    ([group, label, sounds]) => make("option", `${label} (${sounds.toLocaleString("en")})`, { value: group })));
  element("license").value = chosen;
});
element("colour").addEventListener("change", (event) => {
  mode = Number(event.target.value);
  hidden = new Set();
  legend();
  filter();
});
for (const id of ["license", "shortest", "longest"]) element(id).addEventListener("input", filter);
panel.addEventListener("submit", (event) => event.preventDefault());
element("query").addEventListener("input", search);
element("query").addEventListener("keydown", (event) => {
  const first = element("results").querySelector("button");
  if (first && event.key === "ArrowDown") { event.preventDefault(); first.focus(); }
  if (first && event.key === "Enter") first.click();
});
element("results").addEventListener("keydown", (event) => {
  const row = document.activeElement.closest("li"), next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
  if (next) { event.preventDefault(); next.firstChild.focus(); }
});
element("nearer").addEventListener("click", () => zoom(1.5, width / 2, height / 2));
element("farther").addEventListener("click", () => zoom(1 / 1.5, width / 2, height / 2));
element("fit").addEventListener("click", () => { fit(); moved(); });
element("theme").addEventListener("click", () => setTheme(theme === "dark" ? "light" : "dark"));
element("close").addEventListener("click", () => { close(); surface.focus(); });
element("fold").addEventListener("click", () => {
  element("fold").setAttribute("aria-expanded", String(!panel.classList.toggle("folded")));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
addEventListener("resize", () => { resize(); fit(); redraw(); });

if (innerWidth < 736) { panel.classList.add("folded"); element("fold").setAttribute("aria-expanded", "false"); }
lines();
setTheme(theme);
resize();
fit();
drawAll();
performance.mark("drawn");
// The texts are parsed when the page is idle, so that the first hover or click does not wait for them.
const readAhead = () => (moving ? setTimeout(readAhead, 1000) : wordsOf());
(window.requestIdleCallback || setTimeout)(readAhead);
// For pages that embed the map, and for its tests: the place of a sound on the screen.
window.placeOf = (id) => { const sound = wordsOf().ids.indexOf(id); return sound < 0 ? null : [toX(sound), toY(sound)]; };
