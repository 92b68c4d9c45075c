// Clicks and keys of the review page. What is rejected is decided by the server alone: each change is asked for,
// and the page then shows what the answer says.
"use strict";

const byId = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll(".card")];
const viewer = byId("viewer");
const help = byId("help");
const BY_KEY = "#by-key"; // the keyboard led to this class. No element's id: browsers take the focus from the page there
let current = 0; // the card that Tab and the keys go to
let underWay = Promise.resolve(); // changes go one after the other: two quick clicks are two changes
let isOver = false;

function say(text, hasFailed = false) {
  byId("said").textContent = text;
  byId("said").classList.toggle("failed", hasFailed);
}

// -- changes

async function post(path) {
  let response;
  try {
    response = await fetch(path, { method: "POST" });
  } catch {
    throw new Error("birds does not answer. It has ended: run birds clean again.");
  }
  const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : {};
  if (!response.ok) {
    const { message, hint } = answer.error || { message: "The change was refused.", hint: "Reload the page." };
    throw new Error(`${message} ${hint}`);
  }
  return answer;
}

function change(path) {
  underWay = underWay.then(async () => {
    if (isOver) return;
    try {
      show(await post(path()));
    } catch (error) {
      say(error.message, true);
    }
  });
  return underWay;
}

function show(answer) {
  byId("undo").disabled = answer.decided === 0;
  say(answer.said);
  if (answer.id === undefined) return;
  for (const place of document.querySelectorAll("[data-label]")) {
    if (place.dataset.label !== answer.label) continue;
    place.querySelector(".kept").textContent = answer.kept;
    place.querySelector(".rejected").textContent = answer.rejected;
  }
  const card = cards.find((one) => one.dataset.id === String(answer.id));
  if (!card) {
    say(`${answer.said} It is in the class ${answer.label}.`);
    return;
  }
  card.dataset.state = answer.state;
  card.querySelector(".toggle").setAttribute("aria-pressed", String(answer.state === "rejected"));
  card.querySelector(".why").textContent = answer.verdict;
  if (viewer.open) fillViewer();
}

function toggle(card) {
  // the address is made when its turn comes: only then is it known what the change before has led to
  return change(() => `/${card.dataset.state === "rejected" ? "restore" : "reject"}/${card.dataset.id}`);
}

function undo() {
  return change(() => "/undo");
}

function done() {
  underWay = underWay.then(async () => {
    try {
      const { decided } = await post("/done");
      isOver = true;
      const text = document.createElement("p");
      const decisions = decided === 1 ? "1 decision" : `${decided} decisions`;
      text.textContent = `Done: ${decisions}, all stored. You can close this page and go on in the terminal.`;
      document.querySelector("main").replaceChildren(text);
      for (const place of document.querySelectorAll(".classes, .actions, .bottom .progress, #undo")) place.remove();
      say(text.textContent);
    } catch (error) {
      say(error.message, true);
    }
  });
}

// -- moving about

function focusCard(index) {
  if (!cards.length) return;
  current = Math.min(Math.max(index, 0), cards.length - 1);
  cards[current].querySelector(".toggle").focus();
}

function columns() {
  const top = cards[0].offsetTop;
  const next = cards.findIndex((card) => card.offsetTop !== top);
  return next === -1 ? cards.length : next;
}

function move(key) {
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (!viewer.open) Object.assign(steps, { ArrowUp: -columns(), ArrowDown: columns() });
  const isInGrid = cards[current].contains(document.activeElement);
  let target = current;
  if (key === "Home") target = 0;
  else if (key === "End") target = cards.length - 1;
  else if (key in steps && (isInGrid || viewer.open)) target = current + steps[key];
  if (target < 0 || target >= cards.length) return; // an arrow beyond the first or last row stays where it is
  if (viewer.open) {
    current = target;
    fillViewer();
  } else {
    focusCard(target);
  }
}

function go(rel) {
  const link = document.querySelector(`a.step[rel=${rel}]`);
  if (link) location.href = `${link.href}${BY_KEY}`;
  else say(rel === "next" ? "This is the last class." : "This is the first class.");
}

// -- one picture, large

function fillViewer() {
  const card = cards[current];
  const isRejected = card.dataset.state === "rejected";
  const name = card.querySelector(".name").textContent;
  const parts = [name, card.querySelector(".facts").textContent, card.querySelector(".why").textContent];
  const picture = byId("viewer-picture");
  const address = `/picture/${card.dataset.id}`;
  if (picture.getAttribute("src") !== address) picture.src = address;
  picture.alt = name;
  picture.hidden = false;
  viewer.dataset.state = card.dataset.state;
  viewer.dataset.index = current;
  byId("viewer-caption").textContent = parts.filter(Boolean).join(" · ");
  byId("viewer-toggle").textContent = isRejected ? "Bring back" : "Reject";
  byId("viewer-previous").disabled = current === 0;
  byId("viewer-next").disabled = current === cards.length - 1;
}

function openViewer(index) {
  current = index;
  fillViewer();
  viewer.showModal();
}

// not `current`: the browser has just given the focus back to the picture the viewer was opened from
viewer.addEventListener("close", () => focusCard(Number(viewer.dataset.index)));
for (const dialog of [viewer, help]) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
}

// -- what a person does

const KEYS = {
  x: () => {
    const isMeant = viewer.open || cards[current]?.contains(document.activeElement);
    if (isMeant) toggle(cards[current]);
    else focusCard(current); // nothing is rejected that a person does not see marked
  },
  u: undo,
  "[": () => go("prev"),
  "]": () => go("next"),
  "?": () => !viewer.open && help.showModal(),
};

document.addEventListener("keydown", (event) => {
  const isAltGr = event.getModifierState("AltGraph"); // [ and ] on many keyboards; Windows reports Ctrl and Alt too
  if (isOver || help.open || event.metaKey || ((event.ctrlKey || event.altKey) && !isAltGr)) return;
  const card = event.target.closest?.(".card");
  if (event.key === "Enter" && card) {
    event.preventDefault(); // a button would take it for a click
    openViewer(cards.indexOf(card));
  } else if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key) && cards.length) {
    const isElsewhere = !viewer.open && document.activeElement !== document.body && !card;
    if (isElsewhere) return; // the list of classes scrolls with arrows as ever
    event.preventDefault();
    move(event.key);
  } else if (!event.repeat && Object.hasOwn(KEYS, event.key.toLowerCase())) {
    event.preventDefault();
    KEYS[event.key.toLowerCase()]();
  }
});

cards.forEach((card, index) => {
  const button = card.querySelector(".toggle");
  button.addEventListener("click", () => {
    focusCard(index); // Safari does not focus what is clicked
    toggle(card);
  });
  button.addEventListener("focus", () => {
    for (const other of document.querySelectorAll('.toggle[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
    current = index;
  });
  card.querySelector(".zoom").addEventListener("click", () => openViewer(index));
});

byId("undo")?.addEventListener("click", undo);
byId("done")?.addEventListener("click", done);
byId("help-open")?.addEventListener("click", () => help.showModal());
byId("help-close")?.addEventListener("click", () => help.close());
byId("viewer-previous")?.addEventListener("click", () => move("ArrowLeft"));
byId("viewer-next")?.addEventListener("click", () => move("ArrowRight"));
byId("viewer-toggle")?.addEventListener("click", () => toggle(cards[current]));
byId("viewer-close")?.addEventListener("click", () => viewer.close());

document.querySelector(".classes [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (location.hash === BY_KEY) focusCard(0);
