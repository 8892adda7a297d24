// The dock at the foot of a run's page: ranges of its recording that training skips.
// Times in the dock are seconds of the recording; the report's clock begins at `first_s` of them.
"use strict";

(() => {
  const { clock, element } = DriveReport;
  const { ask } = DriveView;

  const REASONS = ["autopilot", "parking", "wrong label", "standing still", "camera blocked"];
  const TOAST_MS = 8000;
  const PLAIN_DIGITS = 3;

  class Excluded {
    /** @param data what `/api/report/RUN` said. @param report mounted, with a recording to look at. */
    constructor(root, run, data, report) {
      this.root = root;
      this.run = run;
      this.recordings = data.recordings;
      this.report = report;
      this.number = 0;
      this.open = false;
      this._build();
      report.on("time", () => this._place());
      report.on("recording", () => this._followRecording());
      this._key = (event) => this._onKey(event);
      document.addEventListener("keydown", this._key);
      this._followRecording();
      root.hidden = false;
      this._sized = new ResizeObserver(() => document.body.style.setProperty("--dock", `${root.offsetHeight}px`)); // what lies behind can be scrolled out
      this._sized.observe(root);
    }

    destroy() {
      document.removeEventListener("keydown", this._key);
      this.root.replaceChildren();
      this.root.hidden = true;
      this._sized.disconnect();
      document.body.style.removeProperty("--dock");
    }

    get recording() { return this.recordings[this.number]; }
    get shown() { return this.report.recording; }
    get first() { return this.shown.first_s || 0; }
    get hasClock() { return this.report.duration > 0; }
    /** Seconds of the recording shown. */
    get now() { return this.report.time + this.first; }

    _build() {
      this.toggle = element("button", { class: "toggle", "aria-expanded": "false", "aria-controls": "range-form" });
      this.toggle.addEventListener("click", () => this._setOpen(!this.open));
      this.summary = element("span", { class: "soft summary" });
      this.choose = element("select", { "aria-label": "Recording" }, ...this.recordings.map((each, k) =>
        element("option", { value: String(k) }, each.name)));
      this.choose.addEventListener("change", () => { this.number = Number(this.choose.value); this.draw(); });
      this.line = element("div", { class: "timeline", title: "The whole recording: click to seek" });
      this.line.addEventListener("click", (event) => {
        const box = this.line.getBoundingClientRect();
        this.report.seek(((event.clientX - box.left) / box.width) * this.report.duration);
      });
      this.cursor = element("i", { class: "cursor" });
      this.start = this._field("Start", "range-start", "Set start (I)", "I");
      this.end = this._field("End", "range-end", "Set end (O)", "O");
      this.reason = element("input", { id: "range-reason", list: "range-reasons", maxlength: "200", placeholder: "autopilot, parking …", autocomplete: "off" });
      this.save = element("button", { class: "main", type: "submit" }, "Exclude");
      this.problem = element("p", { class: "problem", role: "alert", hidden: true });
      this.form = element("form", { id: "range-form", hidden: true },
        element("div", { class: "fields" }, this.start.root, this.end.root,
          element("label", { class: "field reason", for: "range-reason" }, element("span", {}, "Reason"), this.reason),
          element("datalist", { id: "range-reasons" }, ...REASONS.map((value) => element("option", { value }))),
          this.save),
        this.problem);
      this.form.addEventListener("submit", (event) => { event.preventDefault(); this._exclude(); });
      for (const field of [this.start, this.end]) field.input.addEventListener("input", () => this._place());
      this.list = element("ul", { class: "ranges" });
      this.more = element("div", { class: "more", hidden: true }, this.list);
      this.root.replaceChildren(element("div", { class: "inner" },
        element("div", { class: "row" }, this.toggle, this.summary, element("span", { class: "spring" }),
          this.recordings.length > 1 ? this.choose : null),
        this.line, this.form, this.more));
    }

    _field(name, id, title, key) {
      const input = element("input", { id, inputmode: "decimal", autocomplete: "off", placeholder: "s", "aria-label": `${name}, seconds` });
      const set = element("button", { type: "button", title, class: "set" }, `Set ${name.toLowerCase()}`, element("kbd", {}, key));
      set.addEventListener("click", () => this._setHere(input));
      return { input, set, root: element("div", { class: "field" }, element("label", { for: id }, name), element("span", { class: "group" }, input, set)) };
    }

    _followRecording() {
      const { shown } = this;
      const known = Number.isInteger(shown.recording);
      if (known) this.number = shown.recording;
      this.choose.value = String(this.number);
      this.choose.disabled = known;
      this.line.hidden = !this.hasClock;
      for (const field of [this.start, this.end]) field.set.hidden = !this.hasClock;
      this.draw();
    }

    _setOpen(open) {
      this.open = open;
      this.form.hidden = this.more.hidden = !open;
      this.toggle.setAttribute("aria-expanded", String(open));
      this.root.classList.toggle("open", open);
      this.draw();
    }

    _setHere(input) {
      if (!this.hasClock) return;
      const last = this.shown.times.length ? this.shown.times.at(-1) : Infinity; // audio may go on behind it
      const moment = Math.min(this.report.time, last) + this.first;
      input.value = (Math.round(moment * 1000) / 1000).toFixed(PLAIN_DIGITS);
      this._place();
    }

    _read(input) {
      const text = input.value.trim().replace(",", ".");
      return text === "" || Number.isNaN(Number(text)) ? NaN : Number(text);
    }

    draw() {
      const { ranges, error, name, file } = this.recording;
      const total = ranges.reduce((sum, range) => sum + range.end_s - range.start_s, 0);
      this.toggle.textContent = this.open ? "Done" : "Exclude a range";
      this.summary.textContent = error ? "recording.toml is not valid" : ranges.length
        ? `${name}: ${ranges.length} excluded ${ranges.length === 1 ? "range" : "ranges"}, ${total.toFixed(1)} s`
        : this.open ? `${name}: training skips excluded ranges; nothing is deleted` : `${name}: no excluded ranges`;
      this._complain(error);
      this.save.disabled = Boolean(error);
      this.list.replaceChildren(...ranges.map((range) => this._item(range)));
      this.list.title = file;
      this._place();
    }

    _item(range) {
      const text = `${clock(range.start_s, 2)} to ${clock(range.end_s, 2)}`;
      const go = element("button", { class: "go", title: "Go there" }, element("b", {}, text), element("span", {}, range.reason || "no reason"));
      go.disabled = !this.hasClock;
      go.addEventListener("click", () => this.report.seek(range.start_s - this.first));
      const undo = element("button", { class: "undo", "aria-label": `Include ${text} again` }, "Undo");
      undo.addEventListener("click", () => this._undo(range));
      return element("li", {}, element("i", { class: "hatched", "aria-hidden": "true" }), go, undo);
    }

    /** Draw the ranges, what is about to be one, and the current frame. */
    _place() {
      if (!this.hasClock) return;
      const { duration } = this.report;
      const share = (seconds) => `${(Math.max(0, Math.min(1, (seconds - this.first) / duration)) * 100).toFixed(3)}%`;
      const band = (kind, from, to, title) => element("i", {
        class: kind, title, style: `left:${share(from)};right:calc(100% - ${share(to)})`,
      });
      const bands = this.recording.ranges.map((range) => band("hatched", range.start_s, range.end_s, range.reason || "excluded"));
      const from = this._read(this.start.input), to = this._read(this.end.input);
      if (this.open && from === from) bands.push(band("coming", from, to > from ? to : Math.max(from, this.now), "about to be excluded"));
      const key = JSON.stringify([this.recording.ranges, from, to, this.open, duration, this.open && from === from && !(to > from) ? this.now : 0]);
      if (key !== this._drawn) this.line.replaceChildren(...bands, this.cursor);
      this._drawn = key;
      this.cursor.style.left = share(this.now);
      const within = this.recording.ranges.some((range) => this.now >= range.start_s && this.now <= range.end_s);
      this.line.classList.toggle("inside", within);
    }

    async _exclude() {
      const start_s = this._read(this.start.input), end_s = this._read(this.end.input);
      if (start_s !== start_s || end_s !== end_s) {
        this._complain("Enter start and end in seconds, or set them to the current frame.");
        return;
      }
      if (!(end_s > start_s)) {
        this._complain("The end must be after the start.");
        return;
      }
      const range = { start_s, end_s, reason: this.reason.value.trim() };
      if (!await this._send("POST", range)) return;
      this.start.input.value = this.end.input.value = "";
      this._toast(`Excluded ${clock(start_s, 2)} to ${clock(end_s, 2)}. Training skips it.`, () => {
        const same = (each) => Math.abs(each.start_s - start_s) < 1e-3 && Math.abs(each.end_s - end_s) < 1e-3 && each.reason === range.reason;
        const written = this.recording.ranges.find(same);
        if (written) this._undo(written);
      });
      this.draw();
    }

    async _undo(range) {
      if (!await this._send("DELETE", range)) return;
      this._toast("The range is included again.");
      this.draw();
    }

    async _send(method, range) {
      this.save.disabled = true;
      try {
        const said = await ask("/api/excluded", { method, body: { run: this.run, recording: this.number, range } });
        this.recordings = said.recordings;
        this._complain("");
        return true;
      } catch (error) {
        this._complain(error.message);
        return false;
      } finally {
        this.save.disabled = false;
      }
    }

    _complain(text) {
      this.problem.textContent = text || "";
      this.problem.hidden = !text;
      if (text && !this.open) this.summary.textContent = text;
    }

    _toast(text, undo) {
      const toast = document.getElementById("toast");
      toast.replaceChildren(text);
      if (undo) {
        const button = element("button", {}, "Undo");
        button.addEventListener("click", () => { toast.hidden = true; undo(); });
        toast.append(button);
      }
      toast.hidden = false;
      clearTimeout(this._fading);
      this._fading = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
    }

    _onKey(event) {
      if (!this.open || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.target.closest && event.target.closest("input, select, textarea")) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const act = { i: () => this._setHere(this.start.input), o: () => this._setHere(this.end.input) }[event.key.toLowerCase()];
      if (act) act();
    }
  }

  Object.assign(DriveView, { Excluded });
})();
