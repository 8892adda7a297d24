// What view's pages share: asking the server, links to runs, how times are written, the theme.
"use strict";

const DriveView = (globalThis.DriveView = globalThis.DriveView || {});

(() => {
  const { element, onTheme } = DriveReport;
  const THEME = "drive-theme";

  const root = document.documentElement;
  const kept = localStorage.getItem(THEME);
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  onTheme(() => { if (root.dataset.theme) localStorage.setItem(THEME, root.dataset.theme); });

  /** A path with every part encoded, for an address. */
  function encoded(path) {
    return path.split("/").map(encodeURIComponent).join("/");
  }

  /** The server's response as an object; throws an Error with its text if it refuses. */
  async function ask(address, { method = "GET", body } = {}) {
    let answer;
    try {
      answer = await fetch(address, {
        method,
        headers: body ? { "content-type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
      });
    } catch {
      throw new Error("The server does not respond. Start `drive view` again and reload this page.");
    }
    const text = await answer.text();
    let said;
    try { said = JSON.parse(text); } catch { said = { error: text.trim() }; }
    if (!answer.ok) throw new Error(said.error || `The server responded with status ${answer.status}`);
    return said;
  }

  /** Show an error on the page; without a text, hide it. */
  function complain(text) {
    const place = document.getElementById("problem");
    place.textContent = text || "";
    place.hidden = !text;
  }

  /** A time in seconds since 1970, as people write it. */
  function when(seconds) {
    return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }

  const STATES = {
    running: "running",
    stopped: "stopped early",
    damaged: "cannot be read",
  };

  /** A word for a run that is not simply done; nothing for one that is. */
  function stateBadge(state) {
    return STATES[state] ? element("span", { class: `badge ${state}` }, STATES[state]) : "";
  }

  /** Call `act` every `ms` milliseconds while the page is shown, one call after the other. */
  function repeat(ms, act) {
    const next = () => setTimeout(async () => {
      if (!document.hidden) await act();
      next();
    }, ms);
    next();
  }

  Object.assign(DriveView, { ask, complain, encoded, repeat, stateBadge, when });
})();
