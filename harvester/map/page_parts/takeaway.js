// Files of a shortlist. The credits have the words of `harvester export credits --format txt`; a test compares them.
const CONTROLS = new RegExp(`[${head.controls.map((span) => span.map((code) => `\\u{${code.toString(16)}}`).join("-")).join("")}]`, "gu");
const oneLine = (text) => (text || "").replace(/\r\n|[\n\t]/g, " ").replace(CONTROLS, "").trim().split(/\s+/).join(" ");
const webAddress = (text) => (/^https?:\/\/[^\s"'<>\\()`]+$/.test(text || "") && !text.match(CONTROLS) ? text : "");
const inMap = (ids) => ids.map(soundOf).filter((sound) => sound >= 0);

const idsText = (ids) => ids.map((id) => `${id}\n`).join("");

function tableText(ids) {
  const all = wordsOf();
  // A spreadsheet must not run a text as a formula.
  const disarmed = (text) => (/^[=+\-@]/.test(text) ? `'${text}` : text);
  const cell = (value) => {
    const text = typeof value === "number" ? (Number.isFinite(value) ? String(value) : "") : disarmed(oneLine(value));
    return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (cells) => `${cells.map(cell).join(",")}\n`;
  const columns = ["id", "name", "username", "license", "license_url", "duration", "category", "tags", "created", "num_downloads", "url"];
  return line(columns) + inMap(ids).map((sound) => {
    const [license, deed] = all.licenses[all.license[sound]], downloads = all.downloads[sound];
    const lasting = Number(seconds[sound].toPrecision(6));
    return line([all.ids[sound], all.names[sound], userOf(sound), license, deed, lasting, all.categories[all.category[sound]],
      tagsOf(sound).join(" "), all.created[sound], downloads < 0 ? NaN : downloads, pageOf(sound)]);
  }).join("");
}

// Sounds of a sandbox lead nowhere: an address of Freesound would be that of another person's sound.
const pageOf = (sound) => webAddress(addressOf("page", sound)) || (head.sandbox ? "" : `https://freesound.org/s/${idOf(sound)}/`);

function creditOf(sound) {
  const all = wordsOf(), [license, deed] = all.licenses[all.license[sound]], name = oneLine(license || "none"), family = name.split(" ")[0];
  return {
    sound, family, license: name, deed: webAddress(deed), wish: all.wishes[all.wish[sound]],
    title: oneLine(all.names[sound]) || `sound ${all.ids[sound]}`, author: oneLine(userOf(sound)) || "unknown author",
    url: pageOf(sound), day: all.days[all.fetched[sound]], mark: head.marks[family] ? ` [${head.marks[family]}]` : "",
  };
}

function creditsText(ids) {
  const all = wordsOf();
  const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const credits = inMap(ids).filter((sound) => all.days[all.fetched[sound]] !== null).map(creditOf).sort((one, other) =>
    order(one.license, other.license) || order(fold(one.author), fold(other.author)) || order(fold(one.title), fold(other.title)) || idOf(one.sound) - idOf(other.sound));
  const lines = ["CREDITS", "", summaryOf(credits)];
  let last = null;
  for (const one of credits) {
    if (one.license !== last) {
      const asks = head.duties[one.family] ? `Asks for: ${head.duties[one.family]}.` : "Read the license before use.";
      lines.push("", `${one.license}${one.mark}`, one.deed, asks, "");
      last = one.license;
    }
    const when = one.day ? `fetched ${one.day}` : "fetched at an unknown time";
    lines.push(`"${one.title}" by ${one.author}${one.mark}`, `    ${one.url}`, `    license ${one.license} ${one.deed}, ${when}, gen-AI: ${one.wish}`);
  }
  lines.push("", "Wishes about generative AI");
  const wishes = new Map();
  for (const { wish } of credits) wishes.set(wish, (wishes.get(wish) || 0) + 1);
  for (const [wish, number] of [...wishes].sort(([one], [other]) => order(one, other))) lines.push(`    ${wish}: ${number}`);
  return `${lines.join("\n")}\n`;
}

function summaryOf(credits) {
  if (!credits.length) return "No sounds.";
  const days = [...new Set(credits.map((one) => one.day).filter(Boolean))].sort();
  if (!days.length) days.push("at an unknown time");
  const when = days.length === 1 ? days[0] : `${days[0]} to ${days.at(-1)}`;
  const source = credits.every(({ sound }) => isMade(sound)) ? "a sandbox, which made them up," : "Freesound";
  return `${counted(credits.length, "sound")} by ${counted(new Set(credits.map((one) => one.author)).size, "author")}; metadata fetched from ${source} ${when}.`;
}
