// The shortlist: sounds that the reader keeps, by id, in the order of keeping. It is stored in the browser under the
// library's key where that is allowed; ids that this map does not show stay in it.
const SHELF = `harvester shortlist ${head.library}`, MOST_KEPT = 10_000;
let kept = readKept(), keptSounds = [], isStored = true;
derive(() => { if (words) keptSounds = inMap(kept); });

function readKept() {
  try {
    const ids = JSON.parse(localStorage.getItem(SHELF) || "[]");
    return Array.isArray(ids) ? [...new Set(ids.filter((id) => Number.isSafeInteger(id) && id > 0))].slice(0, MOST_KEPT) : [];
  } catch {
    return []; // no storage here, or another page's text under our key
  }
}

function storeKept() {
  try {
    localStorage.setItem(SHELF, JSON.stringify(kept));
    isStored = true;
  } catch {
    isStored = false; // private window, embedded page, or full: the list lives as long as the page
  }
  showKept();
}

const isKept = (sound) => kept.includes(idOf(sound));

function toggleKept(sound) {
  const id = idOf(sound), was = isKept(sound);
  kept = was ? kept.filter((one) => one !== id) : [...kept, id].slice(-MOST_KEPT);
  say(`${was ? "Taken from" : "Put on"} the shortlist: ${nameOf(sound)}`);
  storeKept();
}

function keepAct(sound) {
  const button = make("button", "", { type: "button", class: "keep" });
  button.addEventListener("click", () => toggleKept(sound));
  return button;
}

function showKept() {
  const button = facts.querySelector(".keep");
  if (button) {
    button.textContent = isKept(opened) ? "★ Kept" : "☆ Keep";
    button.setAttribute("aria-pressed", String(isKept(opened)));
  }
  keptSounds = inMap(kept);
  element("shortlist").hidden = !kept.length;
  element("keptCount").textContent = `Shortlist: ${kept.length.toLocaleString("en")}`;
  const absent = kept.length - keptSounds.length;
  const lines = [absent ? `${absent.toLocaleString("en")} of them ${absent === 1 ? "is" : "are"} not in this map.` : "", isStored ? "" : "This browser does not store it: save it before you leave."];
  element("keptNote").textContent = lines.filter(Boolean).join(" ");
  element("kept").replaceChildren(...kept.map((id) => {
    const row = make("li"), sound = soundOf(id), away = make("button", "×", { type: "button", class: "away" });
    away.setAttribute("aria-label", `Take from the shortlist: ${sound < 0 ? `sound ${id}` : nameOf(sound)}`);
    away.addEventListener("click", () => {
      kept = kept.filter((one) => one !== id);
      storeKept();
      (element("kept").querySelector(".away") || element("query")).focus();
    });
    row.append(lineOf(id), away);
    return row;
  }));
  drawAbove();
}

// A small flag on each sound of the shortlist.
function drawKept(pen) {
  pen.lineWidth = 1.2;
  pen.strokeStyle = paper();
  pen.fillStyle = ink();
  for (const sound of keptSounds) {
    if (!shown[sound]) continue;
    const x = toX(sound), y = toY(sound) - radiusOf(sound) - 2;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + 4, y - 7);
    pen.lineTo(x - 4, y - 7);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }
}

// Give a file to the reader; the browser saves it, no request is sent.
function save(name, type, text) {
  const link = make("a", undefined, { href: URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say(`${name} saved`);
}

element("saveIds").addEventListener("click", () => save("shortlist.txt", "text/plain", idsText(kept)));
element("saveTable").addEventListener("click", () => save("shortlist.csv", "text/csv", tableText(kept)));
element("saveCredits").addEventListener("click", () => save("CREDITS.txt", "text/plain", creditsText(kept)));
element("emptyKept").addEventListener("click", () => {
  if (!confirm(`Remove ${counted(kept.length, "sound")} from the shortlist?`)) return;
  kept = [];
  storeKept();
  surface.focus();
});
// Another page of the same library has changed the list.
addEventListener("storage", (event) => {
  if (event.key !== SHELF) return;
  kept = readKept();
  showKept();
});
