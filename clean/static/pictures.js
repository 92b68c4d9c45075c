// The pictures of the view: their ids in order, and what is known of each, fetched as it comes into sight.

import { get } from "./api.js";
import { view } from "./view.js";

const AT_A_TIME = 200;

export const list = { ids: [], bundles: [], indexOf: new Map() };
const known = new Map(); // id -> card
const asked = new Set();

let wanted = 0;

/** Fetch the list of the view; says whether it is still the one that is wanted. */
export async function loadList() {
  const turn = ++wanted;
  const { ids, bundles } = await get("/api/list", view);
  if (turn !== wanted) return false;
  list.ids = ids;
  list.bundles = bundles;
  list.indexOf = new Map(ids.map((id, index) => [id, index]));
  known.clear();
  asked.clear();
  return true;
}

export const cardOf = (id) => known.get(id);

/** Note cards that an answer brought along. */
export function learn(cards) {
  for (const card of cards) known.set(card.id, card);
}

/** Fetch the cards of pictures `from` to `to` that are not known yet; says whether there were any. */
export async function fetchCards(from, to) {
  const ids = list.ids.slice(Math.max(from, 0), to).filter((id) => !known.has(id) && !asked.has(id));
  for (const id of ids) asked.add(id);
  try {
    for (let start = 0; start < ids.length; start += AT_A_TIME) {
      const { cards } = await get("/api/cards", { ids: ids.slice(start, start + AT_A_TIME).join(",") });
      learn(cards);
    }
  } finally {
    for (const id of ids) asked.delete(id);
  }
  return ids.length > 0;
}

/** What is known of `ids` may have changed. */
export function forget(ids) {
  for (const id of ids) known.delete(id);
}

export const thumbnailOf = (card) => `/thumbnail/${card.id}?v=${card.version}`;
