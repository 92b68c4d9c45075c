// What a person does: asked of the server one after the other, so that two quick keys are two changes. What is rejected
// is decided by the server alone; the page shows what it answers.

import { post } from "./api.js";
import { layout, position, render } from "./grid.js";
import { refreshSoon, showUndo } from "./overview.js";
import { cardOf, forget, learn, list } from "./pictures.js";
import { chosen, selected, selectNone, wholeBundles } from "./selection.js";
import { say, sayLast, wait } from "./status.js";
import { view } from "./view.js";

let underWay = Promise.resolve();
let isOver = false;
const listeners = [];

/** `listener` is called after each change that the page shows. */
export const onChange = (listener) => listeners.push(listener);

function inTurn(work) {
  wait(1);
  underWay = underWay.then(async () => {
    try {
      if (!isOver) await work();
    } catch (error) {
      say(error.message, true);
    }
    wait(-1);
    if (isOver) return; // what they would show is gone
    for (const listener of listeners) listener();
  });
}

function show(answer, after = "") {
  forget(answer.files); // of thousands not all are told
  learn(answer.cards);
  showUndo(answer);
  const [skipped] = answer.skipped;
  const others = answer.skipped.length > 1 ? ` and ${answer.skipped.length - 1} more` : "";
  say(answer.said + (skipped ? ` Left alone: ${skipped}${others}` : after), Boolean(skipped));
  render();
  refreshSoon();
}

/** One of the server's actions on `ids`; what to do may depend on what the change before has led to. */
function act(ids, toDo, label) {
  return inTurn(async () => {
    try {
      const answer = await post("/act", { do: toDo(ids.map(cardOf)), ids, label });
      show(answer, answer.files.length ? " Press u to undo." : "");
    } catch (error) {
      forget(ids); // perhaps it was written down all the same
      render();
      throw error;
    }
  });
}

const turnOver = (cards) => (cards.every((card) => card?.isRejected) ? "keep" : "reject");

/**
 * Act on the selection, or on the picture with the focus.
 *
 * `isWhole`: without a selection, on the whole bundle. `goOn` is given the next picture's index.
 */
function decide(toDo, { label, isWhole = false, goOn }) {
  let ids = chosen(position.current);
  if (!ids.length) return;
  if (!selected.size) {
    if (isWhole) ids = wholeBundles(ids, layout.bundleOf);
    goOn(list.indexOf.get(ids[ids.length - 1]) + 1);
  }
  selectNone();
  act(ids, toDo, label);
}

function decideBundle(action, goOn) {
  if (list.bundles.length) decide(() => action, { isWhole: true, goOn });
  else say("That is for the queues of duplicates.");
}

/** Of a picture under two labels this one is right: reject the bundle's others. */
function keepOnlyThis(goOn) {
  const id = list.ids[position.current];
  const bundle = wholeBundles([id], layout.bundleOf);
  selectNone();
  goOn(list.indexOf.get(bundle[bundle.length - 1]) + 1);
  act(bundle.filter((other) => other !== id), () => "reject");
}

export const turnOverChosen = (goOn) => decide(turnOver, { goOn });
export const keep = (goOn) => decide(() => "keep", { goOn });
export const move = (label, goOn) => decide(() => "move", { label, goOn });
export const keepBest = (goOn) => (view.queue === "conflicts" ? keepOnlyThis(goOn) : decideBundle("best", goOn));
export const tellApart = (goOn) => decideBundle("different", goOn);
export const turnOverOne = (id) => act([id], turnOver);

/** Undo or redo, then let `goTo` show the picture it was about. */
export function revise(path, goTo) {
  return inTurn(async () => {
    const answer = await post(path);
    show(answer);
    const [first] = answer.files;
    if (list.indexOf.has(first)) return goTo(list.indexOf.get(first));
    const card = answer.cards.find((one) => one.id === first);
    if (card && card.label !== view.label) say(`${answer.said} It is in the class ${card.label}.`);
  });
}

/** End the page; everything is stored already. */
export function finish() {
  return inTurn(async () => {
    const { decided } = await post("/done");
    isOver = true;
    const text = document.createElement("p");
    const pictures = decided === 1 ? "1 picture" : `${decided} pictures`;
    text.textContent = `Done: ${pictures} decided, all stored. You can close this page and go on in the terminal.`;
    text.className = "over";
    document.getElementById("main").replaceChildren(text);
    for (const place of document.querySelectorAll(".side, .actions, .top .progress, .skip")) place.remove();
    sayLast(text.textContent); // what is still on its way for the grid no longer matters
  });
}
