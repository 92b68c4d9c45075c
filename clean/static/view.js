// Which queue, class, order and filters are shown. They stand in the address, so that a reload shows the same.

const NAMES = ["queue", "label", "sort", "state", "source", "reason"];
const wanted = new URLSearchParams(location.hash.slice(1));

export const view = Object.fromEntries(NAMES.map((name) => [name, wanted.get(name) || ""]));
view.queue ||= "all";

export const isFresh = !location.hash;

export function changeView(changes) {
  Object.assign(view, changes);
  const said = new URLSearchParams(Object.entries(view).filter(([, value]) => value));
  history.replaceState(null, "", `#${said}`);
}

/** Bundles have an order of their own, and the test set must not be sorted. */
export const canSort = () => !["duplicates", "conflicts", "test"].includes(view.queue);
