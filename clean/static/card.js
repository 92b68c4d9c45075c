// One picture's cell in the grid, filled with what is known of it. Text only: names and labels come from strangers.

import { showPicture } from "./api.js";
import { thumbnailOf } from "./pictures.js";
import { view } from "./view.js";

const template = document.getElementById("card").content.firstElementChild;

export const newCell = () => template.cloneNode(true);

const percent = (share) => `${Math.round(100 * share)} %`;

/** What is the matter, or what a classifier says, in a few words. */
export function remarks(card) {
  const said = card.reasons.map((one) => one.text).filter((text) => text !== "suspected label");
  if (card.predicted && card.predicted !== card.label) said.unshift(`looks like ${card.predicted}, ${percent(card.confidence)}`);
  return said.join(" · ");
}

export function facts(card) {
  return [view.label && view.label === card.label ? "" : card.label, card.size, card.source].filter(Boolean).join(" · ");
}

/** Show `card` in `cell`; before it is known, an empty frame. */
export function fill(cell, card) {
  cell.classList.toggle("waiting", !card);
  if (!card) return;
  const part = (name) => cell.querySelector(`.${name}`);
  cell.dataset.state = card.isRejected ? "rejected" : card.isReviewed ? "reviewed" : "stored";
  part("name").textContent = card.name;
  part("name").title = card.name;
  part("what").textContent = remarks(card);
  part("what").title = remarks(card);
  part("facts").textContent = facts(card);
  part("facts").title = [facts(card), card.page].filter(Boolean).join("\n");
  part("badge").textContent = card.isBest && !card.isRejected ? "best copy" : "";
  part("verdict").textContent = card.verdict && `${card.isRejected ? "✕" : "✓"} ${card.verdict}`;
  part("toggle").textContent = card.isRejected ? "↺" : "✕";
  part("toggle").title = card.isRejected ? "Bring back" : "Reject";
  showPicture(cell.querySelector("img"), thumbnailOf(card));
}
