// The line at the bottom that screen readers read out.

const line = document.getElementById("said");

export function say(text, hasFailed = false) {
  line.textContent = text;
  line.classList.toggle("failed", hasFailed);
}
