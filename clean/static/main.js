// Where everything comes together: what keys, buttons and lists lead to.

import * as changes from "./changes.js";
import { cellAt, fetchInSight, focusPicture, layout, pageRows, position, relayOut, render, scrollToTop } from "./grid.js";
import { listen } from "./keys.js";
import { inRow } from "./layout.js";
import { askForClass } from "./mover.js";
import { loadOverview, overview, show as showOverview } from "./overview.js";
import { list, loadList } from "./pictures.js";
import * as selection from "./selection.js";
import { say, wait } from "./status.js";
import { changeView, isFresh, view } from "./view.js";
import { fillViewer, showLarge, viewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);
const grid = byId("pictures");
const help = byId("help");

// -- what is shown

let loading = 0;

async function load(hasFocus) {
  selection.selectNone();
  showOverview();
  loading += 1;
  wait(1);
  try {
    if (!(await loadList())) return;
  } catch (error) {
    return say(error.message, true);
  } finally {
    loading -= 1;
    wait(-1);
  }
  position.current = 0;
  scrollToTop();
  relayOut();
  showEmpty();
  showSelection();
  byId("shown").textContent = list.ids.length === 1 ? "1 picture" : `${list.ids.length} pictures`;
  fetchInSight();
  if (hasFocus) focusPicture(0);
}

function showEmpty() {
  byId("empty").hidden = list.ids.length > 0;
  const isNarrowed = ["label", "state", "source", "reason"].some((name) => view[name]) && overview.queues[view.queue] > 0;
  const queue = byId("queues").querySelector(`[data-queue="${view.queue}"]`);
  byId("empty-text").textContent = isNarrowed ? "No picture here is like that." : queue ? queue.dataset.empty : "";
  byId("show-all").hidden = !isNarrowed;
}

function show(wanted, hasFocus = false) {
  changeView(wanted);
  return load(hasFocus);
}

function step(by) {
  const labels = ["", ...overview.classes.map((one) => one.label)];
  const next = labels[labels.indexOf(view.label) + by];
  if (next === undefined) say(by > 0 ? "This is the last class." : "These are all classes.");
  else show({ label: next }, true);
}

function showSelection() {
  const n = selection.selected.size;
  const isBundled = list.bundles.length > 0;
  byId("bulk").hidden = n === 0 && !isBundled;
  byId("chosen").textContent = n ? `${n} selected` : "";
  for (const id of ["do-toggle", "do-keep", "do-move", "do-clear"]) byId(id).hidden = n === 0;
  for (const id of ["do-best", "do-different"]) byId(id).hidden = !isBundled;
  byId("do-best").querySelector(".text").textContent = view.queue === "conflicts" ? "Only this is right" : "Keep the best";
}

// -- commands

const goTo = (index) => (viewer.open ? showLarge(Math.min(index, list.ids.length - 1)) : focusPicture(index));

function moveToNumber({ key }) {
  const one = overview.classes[Number(key) - 1];
  if (one) changes.move(one.label, goTo);
  else say(`There is no class number ${key}.`);
}

const decisions = {
  reject: () => changes.turnOverChosen(goTo),
  keep: () => changes.keep(goTo),
  move: () => askForClass((label) => changes.move(label, goTo)),
  moveToNumber,
  best: () => changes.keepBest(goTo),
  different: () => changes.tellApart(goTo),
  undo: () => changes.revise("/undo", goTo),
  redo: () => changes.revise("/redo", goTo),
  help: () => help.showModal(),
};

const targets = {
  next: (index) => index + 1,
  previous: (index) => index - 1,
  down: (index) => inRow(layout, index, 1),
  up: (index) => inRow(layout, index, -1),
  pageDown: (index) => inRow(layout, index, pageRows()),
  pageUp: (index) => inRow(layout, index, -pageRows()),
  first: () => 0,
  last: () => list.ids.length - 1,
};

const others = {
  select: () => selection.toggle(position.current),
  selectAll: () => selection.selectAll(),
  clear: () => selection.selectNone(),
  zoom: () => showLarge(position.current),
  previousClass: () => step(-1),
  nextClass: () => step(1),
};

function run(command, event) {
  const isAboutPictures = !["previousClass", "nextClass", "help", "undo", "redo"].includes(command);
  if (loading && isAboutPictures) return true; // those that are still shown are not meant
  if (command in decisions) decisions[command](event);
  else if (command in others) others[command]();
  else if (event.shiftKey) {
    selection.beginAt(position.current);
    const index = targets[command](position.current);
    if (index in list.ids) {
      selection.selectRange(index);
      focusPicture(index);
    }
  } else focusPicture(targets[command](position.current));
  render();
  showSelection();
  return true;
}

function runLarge(command, event) {
  if (command in decisions) decisions[command](event);
  else if (command in targets && !["up", "down"].includes(command)) showLarge(targets[command](position.current));
  else return false;
  return true;
}

listen(byId("table"), run);
listen(viewer, runLarge);
changes.onChange(() => {
  showSelection();
  if (viewer.open) fillViewer();
});

// -- the mouse, and fingers

let before = 0; // where the focus was when the mouse went down, which takes it along
grid.addEventListener("pointerdown", () => (before = position.current));
grid.addEventListener("click", (event) => {
  const cell = event.target.closest(".card");
  if (!cell) return;
  const index = Number(cell.dataset.index);
  const button = event.target.closest("button");
  if (button) {
    focusPicture(index);
    if (button.dataset.do === "zoom") showLarge(index);
    else changes.turnOverOne(list.ids[index]);
    return;
  }
  if (event.shiftKey) {
    selection.beginAt(before);
    selection.selectRange(index);
  } else if (event.ctrlKey || event.metaKey || event.pointerType === "touch") selection.toggle(index);
  focusPicture(index);
  showSelection();
});
grid.addEventListener("dblclick", (event) => {
  const cell = event.target.closest(".card");
  if (cell && !event.target.closest("button")) showLarge(Number(cell.dataset.index));
});
grid.addEventListener("focusin", (event) => {
  const cell = event.target.closest(".card");
  if (cell && Number(cell.dataset.index) !== position.current) focusPicture(Number(cell.dataset.index), false);
});

// -- lists and buttons

byId("queues").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) show({ queue: button.dataset.queue, label: "", sort: "", state: "", source: "", reason: "" });
});
byId("classes").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) show({ label: button.dataset.label });
});
for (const name of ["sort", "state", "source", "reason"]) {
  byId(`by-${name}`).addEventListener("change", (event) => show({ [name]: event.target.value }));
}
function afterwards(work) {
  return () => {
    work();
    render();
    showSelection();
  };
}
for (const [id, work] of Object.entries({
  undo: () => changes.revise("/undo", (index) => focusPicture(index, false)),
  redo: () => changes.revise("/redo", (index) => focusPicture(index, false)),
  done: () => changes.finish(),
  "help-open": decisions.help,
  "help-close": () => help.close(),
  "show-all": () => show({ label: "", state: "", source: "", reason: "" }, true),
  "class-previous": () => step(-1),
  "class-next": () => step(1),
  "do-best": decisions.best,
  "do-different": decisions.different,
  "do-toggle": decisions.reject,
  "do-keep": decisions.keep,
  "do-move": decisions.move,
  "do-clear": others.clear,
  "viewer-toggle": decisions.reject,
  "viewer-keep": decisions.keep,
  "viewer-move": decisions.move,
})) {
  byId(id).addEventListener("click", afterwards(work));
}
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the view
  focusPicture(position.current);
});

// -- the beginning

try {
  if (isFresh) {
    await loadOverview();
    changeView({ label: overview.classes[0]?.label || "" });
    await load(true);
  } else {
    await load(true); // pictures first
    await loadOverview();
    showEmpty();
  }
} catch (error) {
  say(error.message, true);
}
document.body.dataset.ready = "true";
