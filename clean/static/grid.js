// The grid of pictures. Only rows in sight, and a few around them, are in the document: it may be 20,000 pictures long.
// One cell can be reached by Tab, arrows go on from there: the grid pattern of the ARIA Authoring Practices.

import { prefetchPicture } from "./api.js";
import { fill, newCell } from "./card.js";
import { layOut } from "./layout.js";
import { cardOf, fetchCards, list, thumbnailOf } from "./pictures.js";
import { selected } from "./selection.js";
import { say } from "./status.js";
import { view } from "./view.js";

const table = document.getElementById("table"); // what scrolls
const grid = document.getElementById("pictures");
const AROUND = 2; // rows above and below what is in sight
const PAUSE_MS = 60; // after which scrolling has come to rest, and it is worth asking what is in sight

export const position = { current: 0 };
export let layout = layOut(0, [], 1);
let size = { row: 1, gap: 16 };
const rows = new Map(); // row -> its element
let timer = 0;
let frame = 0;

/** A length of the style sheet, given there in rem without the unit, in pixels. */
function pixels(name) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return rem * parseFloat(getComputedStyle(table).getPropertyValue(name));
}

function measure() {
  const width = table.clientWidth - 2 * pixels("--edge");
  const gap = pixels("--gap");
  const columns = Math.max(2, Math.floor((width + gap) / (pixels("--card-min") + gap)));
  const card = (width - gap * (columns - 1)) / columns;
  size = { row: Math.round(card * 0.75 + pixels("--card-text")) + gap, gap };
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--row", `${size.row - gap}px`);
  return columns;
}

/** Lay everything out anew: another list, or another width. */
export function relayOut() {
  const hasFocus = grid.contains(document.activeElement);
  layout = layOut(list.ids.length, list.bundles, measure());
  for (const row of rows.values()) row.remove();
  rows.clear();
  grid.hidden = list.ids.length === 0;
  grid.classList.toggle("bundles", list.bundles.length > 0);
  grid.classList.toggle("duplicates", view.queue === "duplicates"); // where one copy is proposed to keep
  grid.style.height = `${layout.rowCount * size.row}px`;
  grid.setAttribute("aria-rowcount", layout.rowCount);
  grid.setAttribute("aria-colcount", layout.columns);
  position.current = Math.min(Math.max(position.current, 0), Math.max(list.ids.length - 1, 0));
  render();
  if (hasFocus) focusPicture(position.current); // it was on a cell that is gone
}

function inSight() {
  const first = Math.floor(table.scrollTop / size.row);
  const last = Math.ceil((table.scrollTop + table.clientHeight) / size.row);
  return [first, Math.min(last, layout.rowCount)];
}

function makeRow(number) {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", number + 1);
  row.className = "row";
  row.style.transform = `translateY(${number * size.row}px)`;
  for (let index = layout.rows[number]; index < layout.rows[number + 1]; index++) {
    const cell = newCell();
    cell.dataset.index = index;
    cell.style.gridColumn = layout.columnOf[index] + 1;
    cell.setAttribute("aria-colindex", layout.columnOf[index] + 1);
    cell.classList.toggle("bundle-first", index === 0 || layout.bundleOf[index - 1] !== layout.bundleOf[index]);
    const isLast = index + 1 === layout.rows[number + 1] || layout.bundleOf[index + 1] !== layout.bundleOf[index];
    cell.classList.toggle("bundle-last", isLast);
    row.append(cell);
  }
  return row;
}

function fillRow(row) {
  for (const cell of row.children) {
    const index = Number(cell.dataset.index);
    const id = list.ids[index];
    cell.tabIndex = index === position.current ? 0 : -1;
    cell.setAttribute("aria-selected", String(selected.has(id)));
    const card = cardOf(id);
    if (cell.card === card && card) continue;
    cell.card = card;
    fill(cell, card);
  }
}

/** Put into the document what is in sight, and take out what is not. */
export function render() {
  frame = 0;
  const [first, last] = inSight();
  const wanted = new Set(list.ids.length ? [layout.rowOf[position.current]] : []); // the focus must not be lost
  for (let row = Math.max(first - AROUND, 0); row < Math.min(last + AROUND, layout.rowCount); row++) wanted.add(row);
  for (const [number, row] of rows) {
    if (wanted.has(number)) continue;
    for (const img of row.querySelectorAll("img")) img.removeAttribute("src"); // no longer worth fetching
    row.remove();
    rows.delete(number);
  }
  for (const number of [...wanted].sort((a, b) => a - b)) {
    let row = rows.get(number);
    if (!row) {
      row = makeRow(number);
      rows.set(number, row);
      const next = [...grid.children].find((other) => Number(other.getAttribute("aria-rowindex")) > number + 1);
      grid.insertBefore(row, next || null); // in order: screen readers go by the document
    }
    fillRow(row);
  }
  clearTimeout(timer);
  timer = setTimeout(fetchInSight, isWaiting(first, last) && rows.size ? PAUSE_MS : 4 * PAUSE_MS);
}

const isWaiting = (first, last) => list.ids.slice(layout.rows[first], layout.rows[last]).some((id) => !cardOf(id));

/** Ask for the cards in sight, then for those of the next screen and their thumbnails. */
export async function fetchInSight() {
  clearTimeout(timer);
  const ids = list.ids;
  const [first, last] = inSight();
  const from = layout.rows[Math.max(first - AROUND, 0)];
  const to = layout.rows[Math.min(last + AROUND, layout.rowCount)];
  const next = layout.rows[Math.min(2 * last - first + AROUND, layout.rowCount)];
  try {
    if (await fetchCards(from, to)) for (const row of rows.values()) fillRow(row);
    if (ids !== list.ids || !(await fetchCards(to, next))) return;
    for (const id of ids.slice(to, next)) if (cardOf(id)) prefetchPicture(thumbnailOf(cardOf(id)));
  } catch (error) {
    say(error.message, true);
  }
}

export const cellAt = (index) => grid.querySelector(`[data-index="${index}"]`);

/** Scroll to a picture and give it the focus; `hasFocus` false only makes it the one that Tab leads to. */
export function focusPicture(index, hasFocus = true) {
  if (!list.ids.length) return hasFocus && document.getElementById("empty").focus();
  position.current = Math.min(Math.max(index, 0), list.ids.length - 1);
  const top = layout.rowOf[position.current] * size.row;
  const [above, below] = [table.scrollTop, table.scrollTop + table.clientHeight - grid.offsetTop];
  if (top < above) table.scrollTop = top;
  else if (top + size.row > below) table.scrollTop += top + size.row - below;
  render();
  if (hasFocus) cellAt(position.current).focus({ preventScroll: true });
}

/** How many rows a page key goes. */
export const pageRows = () => Math.max(1, Math.floor(table.clientHeight / size.row) - 1);

export function scrollToTop() {
  table.scrollTop = 0;
}

table.addEventListener("scroll", () => (frame ||= requestAnimationFrame(render)), { passive: true });
new ResizeObserver(() => {
  const before = layout.columns;
  const row = size.row;
  if (measure() !== before || size.row !== row) relayOut();
  else render();
}).observe(table);
