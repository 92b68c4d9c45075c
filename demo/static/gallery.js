// What a result page does: links on hover, thumbnails and batches on scrolling, the side panel on a click.
// Every __name__ is replaced by one made up at the start of the gallery.
(function () {
  "use strict";
  const state = __state__;
  const grid = document.getElementById("__gridid__");
  const end = document.getElementById("__endid__");
  const panel = document.getElementById("__panelid__");
  const FULL_SIZE_DELAY_MS = 200;
  const SCROLL_MARGIN_PX = 200;

  // -- records: {id: {thumb, thumbSize, full, size, page, title}}, sizes as [width, height]
  const records = {};

  function keep(record) {
    const [, key, [thumb, thumbHeight, thumbWidth], [full, height, width], , , , , , details] = record[1];
    const [, , page, title] = details["2003"];
    records[key] = { thumb, thumbSize: [thumbWidth, thumbHeight], full, size: [width, height], page, title };
    return key;
  }

  function keepToday() {
    Object.values(window.__store__ || {}).forEach(keep);
  }

  const keep2020 = (data) => data[31][0][12][2].map(keep);

  const asked = {};

  async function recordOf(key) { // asked for, once, where the page came without records
    if (!records[key] && state.hasDetails) {
      asked[key] ??= fetch("/details/" + key).then((answer) => (answer.ok ? answer.json() : undefined));
      records[key] = await asked[key];
    }
    return records[key];
  }

  // -- cards
  function build(key) {
    const { thumb, thumbSize, page, title } = records[key];
    const card = document.createElement("div");
    card.className = "__card__";
    card.dataset.__key__ = key;
    card.style.setProperty("--w", thumbSize[0]);
    card.style.setProperty("--h", thumbSize[1]);
    const link = card.appendChild(document.createElement("a"));
    link.className = "__link__";
    link.tabIndex = 0;
    const image = link.appendChild(document.createElement("img"));
    image.className = "__thumb__";
    image.src = state.blank;
    image.dataset.__src__ = thumb;
    link.appendChild(document.createElement("span")).textContent = title;
    link.appendChild(document.createElement("small")).textContent = new URL(page).hostname;
    grid.appendChild(card);
  }

  const lazy = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      target.src = target.dataset.__src__;
      delete target.dataset.__src__;
      lazy.unobserve(target);
    }
  }, { rootMargin: "100px" });

  const watch = () => grid.querySelectorAll("img[data-__src__]").forEach((image) => lazy.observe(image));

  // -- links
  async function reveal(event) {
    const link = event.target.closest("a");
    if (!link || link.href) return;
    const key = link.parentElement.dataset.__key__;
    const query = { docid: [...key].reverse().join(""), tbnid: key };
    if (state.hasLinks) {
      const record = await recordOf(key);
      if (!record) return;
      Object.assign(query, { imgurl: record.full, imgrefurl: record.page, w: record.size[0], h: record.size[1] });
    }
    link.href = "/imgres?" + new URLSearchParams(query);
  }
  for (const kind of ["mouseover", "mousedown", "focusin", "touchstart"]) grid.addEventListener(kind, reveal);

  // -- side panel
  function close() {
    panel.hidden = true;
    document.body.classList.remove("__open__");
    document.querySelector(".__on__")?.classList.remove("__on__");
  }

  async function open(card) {
    close();
    const thumb = card.querySelector("img").src;
    panel.replaceChildren();
    const button = panel.appendChild(document.createElement("button"));
    button.textContent = "✕";
    button.setAttribute("aria-label", "Close");
    button.addEventListener("click", close);
    const title = panel.appendChild(document.createElement("h2"));
    title.textContent = card.querySelector("span").textContent;
    const visit = panel.appendChild(document.createElement("a"));
    const small = visit.appendChild(document.createElement("img"));
    small.src = thumb;
    card.classList.add("__on__");
    panel.hidden = false;
    document.body.classList.add("__open__");
    const record = await recordOf(card.dataset.__key__);
    if (!record || !small.isConnected) return;

    visit.href = record.page;
    const text = panel.appendChild(document.createElement("p"));
    text.append(record.size.join(" × ") + " pixels, from ");
    const site = text.appendChild(document.createElement("a"));
    site.href = record.page;
    site.textContent = new URL(record.page).hostname;
    setTimeout(() => {
      if (!small.isConnected) return;
      const full = document.createElement("img");
      full.hidden = true; // until it has come: some hosts are slow, some never answer
      full.addEventListener("load", () => { full.hidden = false; small.hidden = true; });
      full.src = record.full;
      small.after(full);
    }, FULL_SIZE_DELAY_MS);
  }

  grid.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    reveal(event);
    open(link.parentElement);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && document.activeElement.matches(".__link__")) document.activeElement.click();
  });

  // -- further batches: of 2020's layout first the records that the page brought along, then XHR
  let waiting = [];
  let isAsking = false;
  let isOver = false;

  function request() {
    const xhr = new XMLHttpRequest();
    if (state.is2020) {
      xhr.open("POST", "/_/VisualFrontendUi/data/batchexecute?rpcids=HoAMBc&hl=en&rt=c");
      xhr.setRequestHeader("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8");
      const asked = [null, null, [state.start], null, state.query];
      xhr.send(new URLSearchParams({ "f.req": JSON.stringify([[["HoAMBc", JSON.stringify(asked), null, "generic"]]]) }));
    } else {
      const query = new URLSearchParams({ q: state.query, start: state.start, async: "_fmt:html", asearch: "isch" });
      xhr.open("GET", `/search?${state.mode}&${query}`);
      xhr.send();
    }
    return xhr;
  }

  function addToday(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const { textContent } of page.querySelectorAll("script")) {
      const script = document.createElement("script"); // scripts of a parsed document do not run
      script.textContent = textContent;
      document.body.appendChild(script).remove();
    }
    keepToday();
    const cards = [...page.querySelectorAll(".__card__")];
    grid.append(...cards);
    return cards.length;
  }

  function add2020(text) {
    const line = text.split("\n").find((part) => part.includes('"wrb.fr"'));
    const keys = keep2020(JSON.parse(JSON.parse(line)[0][2]));
    keys.forEach(build);
    return keys.length;
  }

  function more() {
    if (isAsking || isOver || end.getBoundingClientRect().top > innerHeight + SCROLL_MARGIN_PX) return;
    if (waiting.length) {
      waiting.splice(0, 20).forEach(build);
      watch();
      requestAnimationFrame(more);
      return;
    }
    isAsking = true;
    const xhr = request();
    xhr.addEventListener("loadend", () => {
      isAsking = false;
      const count = xhr.status === 200 ? (state.is2020 ? add2020 : addToday)(xhr.responseText) : 0;
      state.start += count;
      isOver = count === 0;
      if (isOver) end.textContent = "That is everything there is to see.";
      watch();
      requestAnimationFrame(more);
    });
  }

  if (window.__chunks__) waiting = keep2020(window.__chunks__["ds:1"]).slice(grid.children.length);
  else keepToday();
  watch();
  more();
  addEventListener("scroll", more, { passive: true });
  addEventListener("resize", more);
})();
