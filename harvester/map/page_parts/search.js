// The search: every word must occur in a sound's name, tags, user or id. Ranks are those of `harvester find`
// (graph/words.py): whole tags and words of the name first, then beginnings, then any other occurrence.
const fold = (text) => text.toUpperCase().toLowerCase(); // so that "STRASSE" finds "straße"
const WHOLE = 3, BEGINNING = 2, PART = 1;
let folded, tokens, wholeHits = new Set();
derive(() => { folded = tokens = null; });

function foldWords() {
  if (folded) return;
  const all = wordsOf();
  folded = all.names.map((name, i) => fold([name || "", userOf(i), all.ids[i], ...tagsOf(i)].join("\n")));
  tokens = all.names.map((name, i) =>
    `\n${fold([...(name || "").split(/[\s_.-]+/), ...tagsOf(i), userOf(i), all.ids[i]].join("\n"))}\n`);
}

function rankOf(sound, wanted) {
  let rank = 0;
  for (const word of wanted) {
    rank += tokens[sound].includes(`\n${word}\n`) ? WHOLE : tokens[sound].includes(`\n${word}`) ? BEGINNING : PART;
  }
  return rank;
}

// Return the sounds with all words, the best first: pairs of a sound and its rank.
function searchWords(wanted) {
  if (!wanted.length) return [];
  foldWords();
  const downloads = wordsOf().downloads, hits = [];
  for (let i = 0; i < count; i++) {
    if (shown[i] && wanted.every((word) => folded[i].includes(word))) hits.push([i, rankOf(i, wanted)]);
  }
  return hits.sort(([one, high], [other, low]) => low - high || downloads[other] - downloads[one] || idOf(one) - idOf(other));
}

function search() {
  const wanted = fold(element("query").value).split(/\s+/).filter(Boolean), hits = searchWords(wanted);
  found = hits.slice(0, 2000).map(([sound]) => sound);
  wholeHits = new Set(hits.filter(([, rank]) => rank === WHOLE * wanted.length).map(([sound]) => sound));
  const some = hits.length > wholeHits.size && wholeHits.size;
  element("found").textContent = wanted.length
    ? `${counted(hits.length, "sound")} found${some ? `, ${some.toLocaleString("en")} with ${wanted.length === 1 ? "the whole word" : "whole words"}` : ""}`
    : "";
  element("results").replaceChildren(...rows(hits.slice(0, 60).map(([sound]) => [sound, userOf(sound)])));
  drawAbove();
}
