// One picture, large.

import { showPicture } from "./api.js";
import { facts, remarks } from "./card.js";
import { fetchInSight, focusPicture } from "./grid.js";
import { cardOf, list } from "./pictures.js";

const byId = (id) => document.getElementById(id);
export const viewer = byId("viewer");
let shown = 0; // index of the picture

export function showLarge(index) {
  if (!(index in list.ids)) return;
  shown = index;
  focusPicture(index, false);
  fillViewer();
  if (!viewer.open) viewer.showModal();
}

/** What is known of the picture may have changed. */
export async function fillViewer() {
  const id = list.ids[shown];
  if (!cardOf(id)) await fetchInSight();
  const card = cardOf(id);
  if (!card || id !== list.ids[shown]) return;
  const picture = byId("viewer-picture");
  showPicture(picture, `/picture/${id}`);
  picture.alt = card.name;
  picture.hidden = false;
  viewer.dataset.state = card.isRejected ? "rejected" : "stored";
  byId("viewer-name").textContent = [card.name, card.verdict].filter(Boolean).join(" · ");
  const scores = Object.entries(card.scores).map(([check, score]) => `${check} ${score.toFixed(2)}`);
  if (card.labelQuality !== null) scores.unshift(`label fits ${card.labelQuality.toFixed(2)}`);
  const judged = scores.length ? `scores, 1 is good: ${scores.join(", ")}` : "";
  byId("viewer-facts").textContent = [remarks(card), facts(card), card.page, judged].filter(Boolean).join(" · ");
  byId("viewer-toggle").querySelector(".text").textContent = card.isRejected ? "Bring back" : "Reject";
  byId("viewer-previous").disabled = shown === 0;
  byId("viewer-next").disabled = shown === list.ids.length - 1;
}

// not the current one: the browser has just given the focus back to the picture that the viewer was opened from
viewer.addEventListener("close", () => focusPicture(shown));
byId("viewer-previous").addEventListener("click", () => showLarge(shown - 1));
byId("viewer-next").addEventListener("click", () => showLarge(shown + 1));
byId("viewer-close").addEventListener("click", () => viewer.close());
