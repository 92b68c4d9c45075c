// What is said: the line at the bottom that screen readers read out, and that something is still under way.

const line = document.getElementById("said");

export function say(text, hasFailed = false) {
  line.textContent = text;
  line.classList.toggle("failed", hasFailed);
}

const grid = document.getElementById("pictures");
let waitingFor = 0; // answers

/** The grid is about to change: `step` 1 when something is asked for, -1 when it is answered. */
export function wait(step) {
  waitingFor += step;
  grid.setAttribute("aria-busy", String(waitingFor > 0));
}
