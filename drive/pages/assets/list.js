// The list of runs: newest first, a filter, and two that can be chosen to be compared.
"use strict";

(() => {
  const { element, themeButton } = DriveReport;
  const { ask, complain, encoded, repeat, stateBadge, when } = DriveView;

  const EVERY_MS = 5000;
  const MOST_FACTS = 3;
  const TIME = "took"; // the fact that gives way to all others
  const PLOT = /^(?!augmented_views).*\.(png|gif)$/i; // shown whole, on white; a sheet of frames fills its place

  const list = document.getElementById("runs");
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const pair = document.getElementById("pair");

  let runs = [];
  let chosen = [];
  let seen = "";

  function wordsOf(run) {
    const facts = run.facts.map((fact) => `${fact.label} ${fact.value}`);
    return [run.run, run.command, run.title, run.state, ...facts].join(" ").toLowerCase();
  }

  function matching() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    return runs.filter((run) => words.every((word) => wordsOf(run).includes(word)));
  }

  function card(run) {
    const address = `/run/${encoded(run.run)}`;
    const cover = element("a", { class: "cover", href: address, tabindex: "-1", "aria-hidden": "true" });
    const instead = element("span", { class: "instead" }, run.command || "run");
    cover.append(instead);
    if (run.image) {
      const image = element("img", { class: PLOT.test(run.image) ? "plot" : null, src: `/thumbnail/${encoded(run.run)}?${run.changed}`, alt: "", loading: "lazy" });
      image.addEventListener("error", () => {
        image.remove();
        instead.textContent = "no image";
      });
      cover.append(image);
    }
    const pick = element("input", { type: "checkbox", "aria-label": `Compare ${run.run || run.title}` });
    pick.checked = chosen.includes(run.run);
    pick.addEventListener("change", () => choose(run.run, pick.checked));
    const told = [...run.facts].sort((a, b) => (a.label === TIME) - (b.label === TIME)).slice(0, MOST_FACTS);
    const facts = element("dl", { class: "facts" }, ...told.map((fact) =>
      element("div", { title: fact.note || null }, element("dt", {}, fact.label), element("dd", {}, fact.value))));
    const note = told.length && told[0].note ? element("p", { class: "soft note" }, told[0].note) : null;
    const problem = run.problem ? element("p", { class: "soft note" }, run.problem) : null;
    return element("li", { class: "card", "data-run": run.run }, cover,
      element("div", { class: "text" },
        element("p", { class: "kind" }, element("b", {}, run.command || "run"), stateBadge(run.state)),
        element("h2", {}, element("a", { href: address }, run.title)),
        element("p", { class: "soft origin" }, element("span", { class: "name" }, run.run || "this folder"),
          element("time", { datetime: new Date(run.started * 1000).toISOString() }, when(run.started))),
        facts, note, problem,
        element("label", { class: "pick" }, pick, "Compare")));
  }

  function draw() {
    const found = matching();
    const at = document.activeElement && document.activeElement.closest && document.activeElement.closest("[data-run]");
    const focused = at && document.activeElement.type === "checkbox" ? at.dataset.run : null;
    list.replaceChildren(...found.map(card));
    if (focused !== null) {
      const again = [...list.children].find((each) => each.dataset.run === focused);
      if (again) again.querySelector("input").focus();
    }
    const all = `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
    count.textContent = found.length === runs.length ? all : `${found.length} of ${all}`;
    if (!runs.length) count.textContent = "No runs yet. Make one, for example: drive demo";
    else if (!found.length) count.textContent = `No run matches; ${all} in total`;
    drawPair();
  }

  function choose(run, on) {
    chosen = chosen.filter((each) => each !== run);
    if (on) chosen = [...chosen, run].slice(-2);
    for (const each of list.children) each.querySelector(".pick input").checked = chosen.includes(each.dataset.run);
    drawPair();
  }

  function drawPair() {
    chosen = chosen.filter((run) => runs.some((each) => each.run === run));
    pair.hidden = !chosen.length;
    if (!chosen.length) return;
    const clear = element("button", {}, "Clear");
    clear.addEventListener("click", () => { chosen = []; draw(); });
    const go = chosen.length === 2
      ? element("a", { class: "button main", id: "compare", href: `/compare?a=${encodeURIComponent(chosen[0])}&b=${encodeURIComponent(chosen[1])}` }, "Compare")
      : element("span", { class: "soft" }, "Choose a second run");
    pair.replaceChildren(element("div", { class: "inner" },
      ...chosen.map((run, k) => element("span", { class: "chip" }, element("b", { class: "AB"[k].toLowerCase() }, "AB"[k]), run || "this folder")),
      element("span", { class: "spring" }), clear, go));
  }

  async function load() {
    try {
      const said = await ask("/api/runs");
      complain("");
      const text = JSON.stringify(said);
      if (text === seen) return;
      seen = text;
      runs = said.runs;
      document.getElementById("folder").textContent = said.folder;
      draw();
    } catch (error) {
      complain(error.message);
    }
  }

  filter.value = new URLSearchParams(location.search).get("q") || "";
  filter.addEventListener("input", () => {
    history.replaceState(null, "", filter.value ? `/?q=${encodeURIComponent(filter.value)}` : "/");
    draw();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== filter && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && document.activeElement === filter) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    }
  });
  document.getElementById("theme").append(themeButton());
  load();
  repeat(EVERY_MS, load);
})();
