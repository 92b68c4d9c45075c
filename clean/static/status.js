// What is said: the line at the bottom that screen readers read out, and that something is still under way.

const line = document.getElementById("said");

let isOver = false;

export function say(text, hasFailed = false) {
  if (isOver) return;
  line.textContent = text;
  line.classList.toggle("failed", hasFailed);
}

/** Say `text`, and nothing after it. */
export function sayLast(text) {
  say(text);
  isOver = true;
}

const grid = document.getElementById("pictures");
let waitingFor = 0; // answers

/** The grid is about to change: `step` 1 when something is asked for, -1 when it is answered. */
export function wait(step) {
  waitingFor += step;
  grid.setAttribute("aria-busy", String(waitingFor > 0));
}
