// A search for settings: its plot, and its trials with their settings and losses.
"use strict";

(() => {
  const { Progress, Table, element, number } = DriveReport;

  const DIGITS = 4; // of a searched number, as in the messages of the command

  class Search {
    constructor(data, base) {
      this.base = base;
      this.progress = new Progress("Search");
      this.image = element("section", { class: "images" });
      this.trials = element("section", { class: "tables trials", "aria-label": "Trials" });
      this.root = element("div", { class: "search" }, this.progress.root, this.trials, this.image);
      this.update(data);
    }

    update(data) {
      const { search } = data;
      const { trials, asked } = search;
      const text = trials.length || !asked ? `${trials.length}${asked ? ` of ${asked}` : ""} trials done` : "waiting for the first trial";
      this.progress.show(data, { done: trials.length, asked, text, left: "" });
      const drawn = JSON.stringify(search);
      if (drawn === this.drawn) return;
      this.drawn = drawn;
      this._showTrials(search);
      this._showPicture(search, data.written);
    }

    lost() { this.progress.lost(); }

    destroy() {
      if (this.table) this.table.destroy();
    }

    _showTrials(search) {
      this.destroy();
      const { trials, best } = search;
      if (!trials.length) return;
      this.table = new Table({ label: "Trials", columns: columnsOf(search, this.base), count: trials.length, onRow: () => {} });
      this.table.isCurrent = (row) => trials[row].trial === best;
      this.table.draw(true);
      this.trials.replaceChildren(
        element("div", { class: "bar" }, element("h2", {}, `Trials (${trials.length})`),
          element("span", { class: "note" }, best === null ? "no trial is complete" : `the best is trial ${best}; best.toml has its settings`)),
        this.table.root);
    }

    _showPicture({ image }, written) {
      if (!image) return;
      const src = this.base + image;
      this.image.replaceChildren(element("figure", {},
        element("figcaption", {}, element("h2", {}, "Plot of the search")),
        element("a", { href: src }, element("img", { src: written ? `${src}?${written}` : src, alt: "Losses of the trials, in order and against each setting" }))));
    }
  }

  function columnsOf({ names, trials }, base) {
    const count = { number: true, width: "minmax(3rem, 1fr)" };
    const of = (name) => (row) => trials[row][name];
    return [
      { ...count, title: "trial", value: of("trial"), text: (row) => String(trials[row].trial), link: (row) => (trials[row].src ? base + trials[row].src : null) },
      { title: "outcome", width: "minmax(5.5rem, 1fr)", value: of("outcome"), text: of("outcome") },
      { ...count, title: "loss", width: "minmax(4rem, 1fr)", value: (row) => trials[row].val_loss ?? NaN, text: (row) => number(trials[row].val_loss, "", 3) },
      { ...count, title: "best epoch", width: "minmax(5.2rem, 1fr)", value: of("best_epoch"), text: (row) => `${trials[row].best_epoch} of ${trials[row].epochs}` },
      { ...count, title: "took", value: of("seconds"), text: (row) => number(trials[row].seconds, "s", 0) },
      ...names.map((name) => settingColumn(name, trials)),
    ];
  }

  function settingColumn(name, trials) {
    const values = trials.map((trial) => trial.values[name]);
    const numeric = values.every((value) => typeof value === "number");
    return {
      title: name.replaceAll("_", " "), number: numeric, width: "minmax(5.6rem, 1fr)",
      value: (row) => values[row], text: (row) => (numeric ? short(values[row]) : plain(values[row])),
    };
  }

  function short(value) {
    return String(Number(value.toPrecision(DIGITS)));
  }

  function plain(value) {
    return { True: "yes", False: "no", "": "–" }[value] || String(value);
  }

  DriveReport.Search = Search;
})();
