// The page of one run: its report, fresh while a training goes on, and the excluded ranges of its recording.
"use strict";

(() => {
  const { bytes, element } = DriveReport;
  const { ask, complain, encoded, Excluded, repeat, stateBadge } = DriveView;

  const EVERY_MS = 3000;
  const GOING_ON = ["running", "stopped"]; // what was stopped may be resumed

  const run = decodeURIComponent(location.pathname.replace(/^\/run\//, "")).replace(/\/$/, "");
  const base = run ? `/files/${encoded(run)}/` : "/files/";
  const place = document.getElementById("report");
  const other = document.getElementById("other");

  let state = "";
  let seen = "";
  let report = null;
  let excluded = null;

  function mount(data) {
    if (report) report.destroy();
    report = data.report ? mountReport(place, data.report, { base, keyboard: true }) : null;
    DriveView.report = report;
    showPlainly(data);
    if (excluded) excluded.destroy();
    excluded = data.recordings.length && hasClock(data.report) ? new Excluded(document.getElementById("excluded"), run, data, report) : null;
    showWhereItBelongs(data.within);
    document.title = `${(data.report && data.report.title) || run || "Run"} - drive`;
  }

  /** Whether there is a recording with a clock, of which ranges can be excluded. */
  function hasClock(shown) {
    return Boolean(shown) && shown.recordings.some((recording) => !recording.images);
  }

  /** A way from a trial to its search. */
  function showWhereItBelongs(within) {
    if (typeof within !== "string") return;
    const inner = run.slice(within.length);
    document.getElementById("name").replaceChildren(element("a", { href: `/run/${encoded(within)}` }, within || "this folder"), inner);
  }

  /** What there is of a run whose report cannot be made. */
  function showPlainly(data) {
    const plain = document.getElementById("plain");
    plain.hidden = Boolean(data.report);
    if (data.report) return;
    plain.replaceChildren(element("h2", {}, "Files"), element("ul", { class: "files" }, ...data.files.map((file) =>
      element("li", {}, element("a", { href: base + encodeURIComponent(file.name) }, file.name), " ", element("small", {}, bytes(file.bytes))))));
  }

  async function load() {
    try {
      const data = await ask(`/api/report/${encoded(run)}`);
      complain(data.error);
      const text = JSON.stringify(data.report);
      if (report && data.report && data.state === state) {
        if (text !== seen) report.update(data.report);
      } else mount(data);
      state = data.state;
      seen = text;
      document.getElementById("state").replaceChildren(stateBadge(state));
    } catch (error) {
      complain(error.message);
      document.title = `${run} - drive`;
    }
  }

  /** Runs of the same command come first: they compare best. */
  async function offerOthers() {
    const { runs } = await ask("/api/runs");
    const own = runs.find((each) => each.run === run);
    const others = runs.filter((each) => each.run !== run);
    const alike = others.filter((each) => own && each.command === own.command);
    const groups = [["Same command", alike], [alike.length ? "Others" : "Runs", others.filter((each) => !alike.includes(each))]];
    for (const [label, found] of groups) {
      if (!found.length) continue;
      other.append(element("optgroup", { label }, ...found.map((each) =>
        element("option", { value: each.run }, `${each.run || "this folder"} (${each.title})`))));
    }
    other.disabled = !others.length;
    other.addEventListener("change", () => {
      if (other.selectedIndex) location.href = `/compare?a=${encodeURIComponent(run)}&b=${encodeURIComponent(other.value)}`;
    });
  }

  document.getElementById("name").textContent = run;
  load();
  offerOthers().catch(() => { other.disabled = true; });
  repeat(EVERY_MS, async () => { if (GOING_ON.includes(state)) await load(); });
})();
