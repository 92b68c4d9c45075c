// What each key does, while a picture has the focus or is open large, and nowhere else: single letters must not get in
// the way of typing or of assistive technology (WCAG 2.1, 2.1.4).

const COMMANDS = {
  x: "reject",
  v: "keep",
  m: "move",
  u: "undo",
  U: "redo",
  y: "redo",
  b: "best",
  n: "different",
  j: "next",
  k: "previous",
  ArrowRight: "next",
  ArrowLeft: "previous",
  ArrowDown: "down",
  ArrowUp: "up",
  Home: "first",
  End: "last",
  PageDown: "pageDown",
  PageUp: "pageUp",
  " ": "select",
  Enter: "zoom",
  Escape: "clear",
  "[": "previousClass",
  "]": "nextClass",
  "?": "help",
};

/** Run the command of each key pressed in `place`; `run(command, event)` says whether it had something to do. */
export function listen(place, run) {
  place.addEventListener("keydown", (event) => {
    const isPressingButton = event.target.closest("button") && ["Enter", " "].includes(event.key);
    if (event.altKey || isPressingButton) return;
    let command = COMMANDS[event.key];
    if (event.ctrlKey || event.metaKey) command = event.key === "a" ? "selectAll" : undefined;
    else if (/^[1-9]$/.test(event.key)) command = "moveToNumber";
    if (command && run(command, event)) event.preventDefault();
  });
}
