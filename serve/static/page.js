// A picture goes to /identify, and what the model says of it is shown. Nothing is kept: not here, not there.

const byId = (id) => document.getElementById(id);
const LONGEST_SIDE = 3000; // pixels, of a picture that has too many bytes as it is

let model = null;
let asking = null; // the request under way; another picture takes its place
let shownUrl = "";

const percent = (share) => (share >= 0.995 ? "over 99%" : share < 0.01 ? "under 1%" : `${Math.round(100 * share)}%`);

// -- what is shown

function show(part) {
  for (const id of ["working", "failure", "answer"]) byId(id).hidden = id !== part;
  byId("drop").setAttribute("aria-busy", String(part === "working"));
}

function say(text) {
  byId("said").textContent = text;
}

function fail({ message, hint }) {
  byId("failure-message").textContent = message;
  byId("failure-hint").textContent = hint;
  show("failure");
}

function preview(file) {
  URL.revokeObjectURL(shownUrl);
  shownUrl = URL.createObjectURL(file);
  byId("preview").src = shownUrl;
  byId("preview").hidden = false;
  byId("file-label").textContent = "Choose another picture";
}

function link(text, address) {
  if (!address) return document.createTextNode(text);
  const made = document.createElement("a");
  made.textContent = text;
  made.href = address;
  made.rel = "noopener noreferrer";
  made.target = "_blank";
  return made;
}

// What a licence asks for: who made it, where it is from, and the licence itself.
function credit(example) {
  const parts = ["Example: ", link(example.attribution, example.page_url)];
  if (!example.attribution.includes(example.licence)) parts.push(", ", link(example.licence, example.licence_url));
  else if (example.licence_url) parts.push(" (", link("licence", example.licence_url), ")");
  return parts;
}

function item(one) {
  const made = byId("one").content.cloneNode(true);
  made.querySelector("strong").textContent = one.label;
  made.querySelector("em").textContent = one.scientific_name ?? "";
  made.querySelector("progress").value = one.confidence;
  made.querySelector("progress").setAttribute("aria-label", `confidence in ${one.label}`);
  made.querySelector(".confidence span").textContent = percent(one.confidence);
  if (one.example) {
    const [picture, caption] = [made.querySelector("img"), made.querySelector("figcaption")];
    picture.alt = `Example of ${one.label}`;
    picture.addEventListener("error", () => { picture.hidden = caption.hidden = true; });
    picture.src = one.example.picture;
    caption.append(...credit(one.example));
    picture.hidden = caption.hidden = false;
  }
  return made;
}

function showAnswer(answer, wasShrunk) {
  const best = percent(answer.confidence);
  byId("answer").classList.toggle("unsure", answer.unsure);
  byId("verdict").textContent = answer.unsure ? "Not sure" : answer.label;
  const threshold = model ? `Below ${percent(model.abstain_threshold)} it does not decide. ` : "";
  const explanation = answer.unsure
    ? `The model’s best guess is ${answer.label}, with a confidence of ${best}. ${threshold}` +
      "A sharper or closer picture may help; it may also be a bird that the model does not know."
    : `The model’s confidence is ${best}.`;
  byId("explanation").textContent = explanation + (wasShrunk ? " The picture was made smaller before it was sent." : "");
  byId("top").classList.toggle("plain", !answer.top.some((one) => one.example));
  byId("top").replaceChildren(...answer.top.map(item));
  show("answer");
  say(answer.unsure ? `Not sure. The best guess is ${answer.label}, ${best}.` : `${answer.label}, ${best}.`);
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  byId("answer").scrollIntoView({ block: "nearest", behavior: isCalm ? "auto" : "smooth" });
}

// -- asking

async function shrunk(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(scale * bitmap.width), Math.round(scale * bitmap.height)];
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
}

async function identify(file) {
  asking?.abort();
  const mine = (asking = new AbortController());
  preview(file);
  show("working");
  say("Looking at the picture.");
  try {
    let sent = file;
    if (model && file.size > model.limits.max_bytes) sent = (await shrunk(file).catch(() => null)) ?? file;
    const type = sent.type.startsWith("image/") ? sent.type : "application/octet-stream";
    const response = await fetch("/identify", { method: "POST", headers: { "Content-Type": type }, body: sent, signal: mine.signal });
    const answer = await response.json();
    if (mine !== asking) return;
    if (response.ok) showAnswer(answer, sent !== file);
    else fail(answer.error);
  } catch (error) {
    if (mine !== asking || error.name === "AbortError") return;
    fail({ message: "The server did not answer.", hint: "Is it still running, and are you connected? Then try again." });
  }
}

function take(files) {
  const file = [...files].find((one) => one.type.startsWith("image/")) ?? files[0];
  if (file) identify(file);
}

for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = ""; // the same picture may be chosen again
  });
}

let depth = 0; // of elements that the pointer entered while dragging
document.addEventListener("dragenter", () => { depth += 1; byId("drop").classList.add("over"); });
document.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) byId("drop").classList.remove("over"); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  byId("drop").classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  else fail({ message: "That was no picture file.", hint: "Save the picture first, then drop the file." });
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) take(event.clipboardData.files);
});
byId("preview").addEventListener("error", () => { byId("preview").hidden = true; }); // not every browser shows each format

// -- what the model is

function showModel() {
  const count = model.classes.length;
  byId("about-title").textContent = `The ${count} classes this model knows, and how good it is`;
  const { test } = model;
  byId("quality").textContent = test
    ? `On ${test.n} pictures that it had not seen it was right in ${percent(test.accuracy)} of cases` +
      (test.accuracy_interval ? ` (95% interval: ${test.accuracy_interval.map(percent).join(" to ")}).` : ".")
    : "How good it is was not measured on a test set.";
  byId("classes").replaceChildren(...model.classes.map((one) => {
    const made = document.createElement("li");
    const name = document.createElement("em");
    name.textContent = one.scientific_name ?? "";
    made.append(one.label, " ", name);
    return made;
  }));
  byId("about").hidden = false;
}

try {
  model = await (await fetch("/model")).json();
  showModel();
} catch {
  byId("about").hidden = true;
}
document.body.dataset.ready = "yes";
