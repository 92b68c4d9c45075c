// The list of queues and of classes with their progress, and what there is to filter by.

import { get } from "./api.js";
import { canSort, view } from "./view.js";

const byId = (id) => document.getElementById(id);
const SOON_MS = 250;

export const overview = { classes: [], queues: {}, sources: [], reasons: [], checks: [] };
let timer = 0;

export async function loadOverview() {
  Object.assign(overview, await get("/api/overview"));
  show();
}

/** After a change: not with each of many quick ones. */
export function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => loadOverview().catch(() => {}), SOON_MS);
}

const share = (one) => (one.reviewed + one.waiting ? one.reviewed / (one.reviewed + one.waiting) : 1);

export function show() {
  showProgress();
  showQueues();
  showClasses();
  showChoices();
  showUndo(overview);
}

export function showUndo({ undo, redo }) {
  for (const [id, said] of [["undo", undo], ["redo", redo]]) {
    byId(id).disabled = !said;
    byId(id).title = said || "";
  }
}

function showProgress() {
  if (!overview.classes.length) return;
  const sum = (name) => overview.classes.reduce((total, one) => total + one[name], 0);
  const [reviewed, all] = [sum("reviewed"), sum("reviewed") + sum("waiting")];
  byId("reviewed").textContent = `${reviewed} of ${all} reviewed, ${all ? Math.floor((100 * reviewed) / all) : 0} %`;
  byId("progress").max = Math.max(all, 1);
  byId("progress").value = reviewed;
}

function showQueues() {
  for (const button of byId("queues").querySelectorAll("button")) {
    const isHere = button.dataset.queue === view.queue;
    button.querySelector(".count").textContent = overview.queues[button.dataset.queue] ?? "";
    if (isHere) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (!isHere) continue;
    byId("queue-name").textContent = button.querySelector(".label").textContent;
    byId("hint").textContent = button.dataset.hint;
  }
  const here = overview.classes.find((one) => one.label === view.label);
  byId("title").textContent = view.label || "All classes";
  const [english = "", scientific = ""] = here?.names ?? [];
  const latin = document.createElement("em");
  latin.lang = "la";
  latin.textContent = scientific;
  byId("names").replaceChildren(...(english ? [`${english} · `, latin] : []));
  document.title = `${view.label || "All classes"} · birds clean`;
}

function text(className, content) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = content;
  return element;
}

function line(one, number) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.label = one.label;
  if (one.label === view.label) button.setAttribute("aria-current", "true");
  const percent = Math.floor(100 * share(one));
  const bar = document.createElement("progress");
  bar.value = percent;
  bar.max = 100;
  bar.setAttribute("aria-hidden", "true"); // the figures beside it say the same
  button.append(text("label", one.label || "All classes"));
  if (number >= 1 && number <= 9) {
    const key = document.createElement("kbd");
    key.textContent = number;
    key.title = `${number} moves a picture here`;
    button.append(key);
  }
  const seen = text("count", `${percent} %`);
  seen.append(text("unseen", " reviewed"));
  button.append(bar, text("count", `${one.kept} kept · ${one.rejected} rejected`), seen);
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function showClasses() {
  const list = byId("classes");
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.label : null;
  const all = { label: "", kept: 0, rejected: 0, reviewed: 0, waiting: 0 };
  for (const one of overview.classes) for (const name of Object.keys(all).slice(1)) all[name] += one[name];
  list.replaceChildren(line(all, 0), ...overview.classes.map((one, index) => line(one, index + 1)));
  if (focused !== null) [...list.querySelectorAll("button")].find((one) => one.dataset.label === focused)?.focus();
}

function offer(select, values, words) {
  const known = new Set([...select.options].map((option) => option.value));
  for (const value of values) if (!known.has(value)) select.append(new Option(words(value), value));
}

function showChoices() {
  const spaced = (name) => name.replaceAll("_", " ");
  offer(byId("by-source"), overview.sources, (name) => (name === "local" ? "added by hand" : name));
  offer(byId("by-reason"), overview.reasons, spaced);
  offer(byId("by-sort"), overview.checks.map((check) => `score:${check}`), (name) => `${spaced(name.slice(6))}, worst first`);
  for (const name of ["sort", "state", "source", "reason"]) byId(`by-${name}`).value = view[name];
  byId("by-sort").disabled = !canSort();
}
