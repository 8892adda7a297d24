// The progress of a run that goes on, or that it was stopped.
"use strict";

(() => {
  const { element } = DriveReport;

  const SILENT_S = 30; // without a sign of life for so long, a run is over; as in drive/pages/live.py

  class Progress {
    /** @param name what goes on: "Training". */
    constructor(name) {
      this.name = name;
      this.root = element("div", { class: "state", role: "status" });
    }

    /**
     * @param data of the report, of which `live`, `stopped`, `reason`, `written` and `alive` count.
     * @param done of `asked` steps. @param text how far that is. @param left when it may end, or "".
     */
    show(data, { done, asked, text, left }) {
      if (!data.live && !data.stopped) {
        this.root.replaceChildren();
        return;
      }
      const silent = Boolean(data.alive) && Date.now() / 1000 - data.alive > SILENT_S;
      const over = data.stopped || silent;
      this.root.classList.toggle("over", over);
      const at = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
      const when = over
        ? data.alive ? `last sign of life ${at(data.alive)}` : ""
        : `as of ${at(data.written)}`;
      const words = over ? ["Stopped early: ", data.reason || `${text}. Resume it with --resume and its folder`] : [`${this.name}: `, text + left];
      this.root.replaceChildren(
        element("p", {}, element("b", {}, words[0]), words[1], element("small", {}, when)),
        element("progress", { max: String(asked || 1), value: String(Math.min(done, asked || 1)), "aria-label": `Progress: ${text}` }));
    }

    /** The page was made for a run that goes on, and its numbers are no longer beside it. */
    lost() {
      this.root.replaceChildren(element("p", {}, `${this.name}: the run that wrote this page has left no newer numbers.`));
    }
  }

  DriveReport.Progress = Progress;
})();
