// How the page talks to birds. In a notebook's frame it says in a header who it is, and fetches pictures that way too.

const meta = document.querySelector('meta[name="birds-session"]');
const headers = meta ? { "X-Birds-Session": meta.content } : {};

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  } catch {
    throw new Error("birds does not answer. It has ended: run birds clean again.");
  }
  const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : {};
  if (!response.ok || !isJson) {
    const { message, hint } = answer.error || { message: "birds refused that.", hint: "Reload the page." };
    throw new Error(`${message} ${hint}`);
  }
  return answer;
}

export function get(path, wishes = {}) {
  const query = new URLSearchParams(Object.entries(wishes).filter(([, value]) => value));
  return ask(`${path}?${query}`);
}

export function post(path, body = {}) {
  return ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

/** Let `img` show what lies at `path`; what it was to show before is forgotten. */
export async function showPicture(img, path) {
  if (img.dataset.path === path) return;
  img.dataset.path = path;
  if (!meta) {
    img.src = path;
    return;
  }
  img.removeAttribute("src");
  try {
    const response = await fetch(path, { headers });
    const address = URL.createObjectURL(await response.blob());
    if (img.dataset.path !== path) return URL.revokeObjectURL(address);
    img.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    img.src = address;
  } catch {
    delete img.dataset.path; // birds has ended; the next change says so
  }
}

/** Have `path` in the browser's cache. */
export function prefetchPicture(path) {
  if (meta) fetch(path, { headers }).catch(() => {});
  else new Image().src = path;
}
