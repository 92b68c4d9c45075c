// Which pictures are selected, and the one that has the focus.

import { list } from "./pictures.js";

export const selected = new Set(); // ids
let anchor = 0; // where a range begins

export function selectNone() {
  selected.clear();
}

export function selectAll() {
  for (const id of list.ids) selected.add(id);
}

export function toggle(index) {
  const id = list.ids[index];
  if (!selected.delete(id)) selected.add(id);
  anchor = index;
}

/** Everything from where the range began to `index`, and nothing else. */
export function selectRange(index) {
  selected.clear();
  const [from, to] = [Math.min(anchor, index), Math.max(anchor, index)];
  for (const id of list.ids.slice(from, to + 1)) selected.add(id);
}

/** A range that begins now begins at `index`. */
export function beginAt(index) {
  if (!selected.size) anchor = index;
}

/** What a key acts on: the selection in the list's order, else the picture at `index`. */
export function chosen(index) {
  if (selected.size) return list.ids.filter((id) => selected.has(id));
  return index in list.ids ? [list.ids[index]] : [];
}

/** The whole bundles in which `ids` stand. */
export function wholeBundles(ids, bundleOf) {
  const bundles = new Set(ids.map((id) => bundleOf[list.indexOf.get(id)]));
  return list.ids.filter((_, index) => bundles.has(bundleOf[index]));
}
