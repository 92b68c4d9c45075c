// Which class to move to, by typing a part of its name: a combobox with a list box.

import { overview } from "./overview.js";

const byId = (id) => document.getElementById(id);
const mover = byId("mover");
const text = byId("mover-text");
const list = byId("mover-list");
let labels = []; // those that fit what was typed
let active = 0;
let chooseLabel = () => {};

const folded = (label) => label.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Ask for a class; `onChosen` is called with its label, or not at all. */
export function askForClass(onChosen) {
  chooseLabel = onChosen;
  text.value = "";
  show();
  mover.showModal();
  text.focus();
}

function show() {
  const typed = folded(text.value.trim());
  labels = overview.classes.map((one) => one.label).filter((label) => folded(label).includes(typed));
  labels.sort((a, b) => folded(b).startsWith(typed) - folded(a).startsWith(typed));
  active = 0;
  list.replaceChildren(...labels.map(option));
  mark();
}

function option(label, index) {
  const item = document.createElement("li");
  item.id = `mover-${index}`;
  item.setAttribute("role", "option");
  item.textContent = label;
  item.addEventListener("click", () => choose(index));
  return item;
}

function mark() {
  [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === active)));
  if (labels.length) text.setAttribute("aria-activedescendant", `mover-${active}`);
  else text.removeAttribute("aria-activedescendant");
  list.children[active]?.scrollIntoView({ block: "nearest" });
}

function choose(index) {
  const label = labels[index];
  if (label === undefined) return;
  mover.close();
  chooseLabel(label);
}

text.addEventListener("input", show);
text.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !labels.length) return;
  event.preventDefault();
  active = (active + step + labels.length) % labels.length;
  mark();
});
byId("mover-form").addEventListener("submit", (event) => {
  event.preventDefault();
  choose(active);
});
byId("mover-close").addEventListener("click", () => mover.close());
