// One picture, large.

import { showPicture } from "./api.js";
import { facts, remarks } from "./card.js";
import { fetchInSight, focusPicture, position } from "./grid.js";
import { cardOf, list } from "./pictures.js";

const byId = (id) => document.getElementById(id);
export const viewer = byId("viewer");

export function showLarge(index) {
  if (!(index in list.ids)) return;
  focusPicture(index, false);
  fillViewer();
  if (!viewer.open) viewer.showModal();
}

/** What is known of the picture may have changed. */
export async function fillViewer() {
  const id = list.ids[position.current];
  if (!cardOf(id)) await fetchInSight();
  const card = cardOf(id);
  if (!card || id !== list.ids[position.current]) return;
  const picture = byId("viewer-picture");
  showPicture(picture, `/picture/${id}`);
  picture.alt = card.name;
  picture.hidden = false;
  viewer.dataset.state = card.isRejected ? "rejected" : "stored";
  byId("viewer-name").textContent = [card.name, card.verdict].filter(Boolean).join(" · ");
  byId("viewer-facts").textContent = [remarks(card), facts(card), card.page].filter(Boolean).join(" · ");
  byId("viewer-toggle").querySelector(".text").textContent = card.isRejected ? "Bring back" : "Reject";
  byId("viewer-previous").disabled = position.current === 0;
  byId("viewer-next").disabled = position.current === list.ids.length - 1;
}

viewer.addEventListener("close", () => focusPicture(position.current));
byId("viewer-previous").addEventListener("click", () => showLarge(position.current - 1));
byId("viewer-next").addEventListener("click", () => showLarge(position.current + 1));
byId("viewer-close").addEventListener("click", () => viewer.close());
