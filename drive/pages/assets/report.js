// The report of a run in one element: video, charts, highlights, tables; or images; or a training.
//
//   const report = mountReport(element, data, {base: "runs/7/", keyboard: true, heading: true});
//   report.video                  // the <video> in sight, or null
//   report.time, report.duration  // seconds on the video's clock
//   report.seek(12.5); report.step(-1); report.play(); report.pause();
//   report.on("time", (t) => ...) // also "play", "pause", "range", "recording"
//   report.range = [10, 20]       // what the charts show; null for all
//   report.destroy()
//
// `base` is put before every relative link of the data, `keyboard` says whether the report listens to the page's keys,
// `heading` whether it shows title and facts. A page may have several reports. drive/pages/data.py has the form of the
// data, SCRIPTS of drive/pages/page.py the scripts that it needs, in their order.
"use strict";

(() => {
  const { Charts, Player, Table, bytes, element, lowerBound, number, readColumn, readRecording, themeButton } = DriveReport;

  const KINDS = {
    intervention: "Interventions",
    difference: "Largest errors",
    near: "Nearest cars",
  };
  const SECONDS_A_JUMP = 1;
  const THUMB_PX = 112;
  const MOST_THUMBS = 24;
  const MOST_SHOWN = 60;

  class Report {
    constructor(root, data, { base = "", keyboard = true, heading = true } = {}) {
      this.root = root;
      this.data = data;
      this.base = base;
      this._heard = {};
      this._range = null;
      root.classList.add("drive-report");
      if (heading) root.append(this._heading());
      if (data.verdict) root.append(this._verdict(data.verdict));
      for (const kind of ["damaged", "warnings"]) {
        root.append(...(data[kind] || []).map((text) => element("p", { class: kind, role: "note" }, text)));
      }
      this.body = element("div", { class: "recording" });
      root.append(this.body);
      this.goesOn = data.training ? new DriveReport.Training(data, base) : data.search ? new DriveReport.Search(data, base) : null;
      if (this.goesOn) this.body.append(this.goesOn.root);
      else if (data.recordings.length) this.showRecording(0);
      else if (data.runs.length) this.body.append(this._runs());
      else if (!data.images.length) this.body.append(element("p", {}, "This run has no frames to show. Its files are listed below."));
      root.append(this._images(), this._about());
      this._key = (event) => this._onKey(event);
      if (keyboard) document.addEventListener("keydown", this._key);
    }

    get video() { return this.player ? this.player.video : null; }
    get time() { return this.player ? this.player.time : 0; }
    get duration() { return this.player ? this.player.duration : 0; }
    get paused() { return this.player ? this.player.paused : true; }
    get range() { return this.charts ? this.charts.range : null; }
    set range(range) { if (this.charts) this.charts.setRange(range); }

    seek(time) { if (this.player) this.player.seek(time); }
    step(frames) { if (this.player) this.player.step(frames); }
    play() { if (this.player) this.player.play(); }
    pause() { if (this.player) this.player.pause(); }

    /** Call on "time", "play", "pause", "range", "recording". */
    on(name, heard) { (this._heard[name] = this._heard[name] || []).push(heard); }

    destroy() {
      document.removeEventListener("keydown", this._key);
      this._clear();
      if (this.goesOn) this.goesOn.destroy();
      this.root.replaceChildren();
    }

    /** Show one of the data's recordings. */
    showRecording(number) {
      this._clear();
      const recording = (this.recording = readRecording(this.data.recordings[number]));
      if (recording.images) {
        this.body.append(this._gallery(recording));
        this.tables = this._tables(recording);
        if (this.tables) this.body.append(this.tables.root);
        return;
      }
      this.player = new Player(recording, this.base);
      this.charts = new Charts(recording, {
        duration: this.player.duration,
        onSeek: (time, moment) => (moment ? this._jump(moment) : this.seek(time)),
        onRange: (range) => this._say("range", range),
      });
      const moments = this._moments(recording);
      this.body.append(this._stage(moments));
      if (recording.charts.length) this.body.append(this.charts.root);
      this.tables = this._tables(recording);
      if (this.tables) this.body.append(this.tables.root);
      this.player.on("time", (time) => {
        this.charts.setDuration(this.player.duration);
        this.charts.setTime(time, !this.player.paused);
        if (this.tables) this.tables.follow(this.player.position);
        this._say("time", time);
      });
      for (const name of ["play", "pause"]) this.player.on(name, () => this._say(name));
      this._say("recording", number);
    }

    /** Video and highlights side by side; without a video the highlights take its place. */
    _stage(moments) {
      const { player } = this;
      const stage = element("div", { class: moments ? "stage" : "stage alone" }, player.root, moments);
      const look = () => stage.classList.toggle("blind", !player.video);
      player.on("blind", look);
      look();
      return stage;
    }

    _clear() {
      for (const part of [this.thumbs, this.charts, this.tables, this.player]) if (part) part.destroy();
      this.thumbs = this.charts = this.tables = this.player = null;
      this.body.replaceChildren();
    }

    _say(name, value) {
      for (const heard of this._heard[name] || []) heard(value);
    }

    _heading() {
      const { data } = this;
      const started = new Date(data.started.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
      const when = Number.isNaN(started.getTime()) ? "" : started.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
      const head = element("header", {},
        element("div", { class: "titles" },
          element("p", { class: "command" }, data.command || "run", when ? element("time", { datetime: data.started }, when) : null),
          element("h1", {}, data.title)));
      if (data.recordings.length > 1) {
        const choose = element("select", { "aria-label": "Recording" });
        data.recordings.forEach((recording, k) => choose.append(element("option", { value: String(k) }, recording.name)));
        choose.addEventListener("change", () => this.showRecording(Number(choose.value)));
        head.append(element("label", { class: "choose" }, "Recording", choose));
      }
      head.append(themeButton());
      this.facts = element("dl", { class: "facts" });
      this._showFacts(data.facts);
      return element("div", { class: "top" }, head, this.facts);
    }

    _verdict(verdict) {
      const causes = verdict.causes.map((cause) => element("li", {}, cause));
      return element("div", { class: `verdict ${verdict.level}`, role: "note" },
        element("p", {}, verdict.sentence), causes.length ? element("ul", {}, ...causes) : null);
    }

    _showFacts(facts) {
      this.facts.replaceChildren(...facts.map((fact) =>
        element("div", {}, element("dt", {}, fact.label), element("dd", {}, fact.value, fact.note ? element("small", {}, fact.note) : null))));
    }

    /** Take new data of a training or a search that goes on. */
    update(data) {
      this.data = data;
      if (this.facts) this._showFacts(data.facts);
      if (this.goesOn) this.goesOn.update(data);
    }

    _jump(moment) {
      const at = this.recording.index.indexOf(moment.frame);
      if (at >= 0) this.player.seekFrame(at);
      else this.seek(moment.time);
    }

    _moments(recording) {
      if (!recording.moments.length) return null;
      const list = element("section", { class: "moments", "aria-label": "Highlights" }, element("h2", {}, "Highlights"));
      const scroll = element("div", { class: "scrolling" });
      this.thumbs = recording.video ? new Thumbnails(this.base + recording.video.src) : null;
      for (const [kind, title] of Object.entries(KINDS)) {
        const found = recording.moments.filter((moment) => moment.kind === kind);
        if (!found.length) continue;
        const items = element("ul");
        for (const moment of found.slice(0, MOST_SHOWN)) {
          const button = element("button", { class: `moment ${kind}` });
          if (this.thumbs && this.thumbs.count < MOST_THUMBS) button.append(this.thumbs.add(moment.time, recording.video));
          button.append(element("span", {}, element("b", {}, recording.clock(moment.time, 2)), element("span", {}, moment.text.replace(/-(?=\d)/g, "−"))));
          button.addEventListener("click", () => this._jump(moment));
          items.append(element("li", {}, button));
        }
        const more = found.length > MOST_SHOWN ? `, the first ${MOST_SHOWN} of ${found.length}` : "";
        scroll.append(element("h3", { class: kind }, title + more), items);
      }
      list.append(scroll);
      return list;
    }

    _tables(recording) {
      const choices = [];
      if (recording.detections) choices.push(detectionTable(recording, (place) => this._chooseFrame(place)));
      if (recording.charts.length) choices.push(frameTable(recording, (place) => this._chooseFrame(place)));
      return choices.length ? new Tables(choices) : null;
    }

    _chooseFrame(place) {
      if (this.player) {
        this.player.pause();
        this.player.seekFrame(place);
      } else {
        const image = this.body.querySelectorAll(".gallery a")[place];
        if (image) image.scrollIntoView({ block: "center", behavior: "smooth" });
        for (const each of this.body.querySelectorAll(".gallery .chosen")) each.classList.remove("chosen");
        if (image) image.classList.add("chosen");
      }
    }

    _gallery(recording) {
      return gallery("Annotated images", recording.images.map((src) =>
        ({ src: this.base + src, note: decodeURIComponent(src.split("/").pop()) })), "gallery");
    }

    _runs() {
      const row = (run) => element("tr", { class: run.status },
        element("th", { scope: "row" }, run.src ? element("a", { href: this.base + run.src }, run.title) : run.title),
        element("td", {}, run.status, run.reason ? element("small", {}, ` ${run.reason}`) : null),
        element("td", {}, run.facts.map((fact) => `${fact.label} ${fact.value}`).join(", ")));
      return element("section", { class: "runs wide" }, element("table", {}, element("tbody", {}, ...this.data.runs.map(row))));
    }

    _images() {
      const { images } = this.data;
      if (!images.length) return "";
      return element("section", { class: "images" }, ...images.map((image) =>
        element("figure", {},
          element("figcaption", {}, element("h2", {}, image.title), image.note),
          element("a", { href: this.base + image.src }, element("img", { src: this.base + image.src, alt: image.title, loading: "lazy" })))));
    }

    _about() {
      const { data } = this;
      const files = element("ul", { class: "files" }, ...data.files.map((file) =>
        element("li", {}, element("a", { href: this.base + file.src }, file.name), element("small", {}, bytes(file.bytes)))));
      const settings = element("table", {}, ...data.settings.map(([name, value]) =>
        element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))));
      return element("footer", {},
        element("section", {}, element("h2", {}, "Files"), files),
        element("section", {}, element("h2", {}, "Command and settings"),
          data.command_line ? element("code", {}, data.command_line) : null,
          data.settings.length ? element("details", {}, element("summary", {}, "Settings"), settings) : null),
        this.player || data.recordings.length && !data.recordings[0].images ? keysHelp() : null);
    }

    _onKey(event) {
      const { player } = this;
      if (!player || event.altKey || event.ctrlKey || event.metaKey) return;
      const at = event.target;
      if (at.closest && at.closest("input, select, textarea, [contenteditable]")) return;
      const typesOnButton = at.closest && at.closest("button, summary, a") && at.matches(":focus-visible");
      const jump = event.shiftKey ? SECONDS_A_JUMP : 0;
      const acts = {
        " ": () => player.toggle(),
        ArrowLeft: () => (jump ? player.seek(player.time - jump) : player.step(-1)),
        ArrowRight: () => (jump ? player.seek(player.time + jump) : player.step(1)),
        j: () => player.playBackwards(),
        k: () => player.pause(),
        l: () => player.forward(),
        f: () => player.fullScreen(),
        Home: () => player.seek(0),
        End: () => player.seekFrame(player.times.length - 1),
        "+": () => this.charts.zoom(2),
        "-": () => this.charts.zoom(0.5),
        0: () => this.charts.setRange(null),
      };
      const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act || (event.key === " " && typesOnButton)) return;
      event.preventDefault();
      if (event.key === " " && at.blur && at !== document.body) at.blur(); // a clicked button would act, too
      act();
    }
  }

  /** Thumbnails of highlights, taken from the video itself by a second, hidden one. */
  class Thumbnails {
    constructor(src) {
      this.src = src;
      this.waiting = [];
      this.count = 0;
    }

    add(time, { width, height }) {
      const canvas = element("canvas", { width: THUMB_PX * 2, height: Math.round((THUMB_PX * 2 * height) / width), "aria-hidden": "true" });
      this.waiting.push({ time, canvas });
      this.count += 1;
      if (!this.video) this._open();
      return canvas;
    }

    destroy() {
      this.waiting = [];
      if (!this.video) return;
      this.video.removeAttribute("src");
      this.video.load();
      this.video = null;
    }

    _open() {
      this.video = element("video", { preload: "auto", muted: true, playsinline: true });
      this.video.muted = true;
      this.video.addEventListener("loadeddata", () => this._next(), { once: true });
      this.video.addEventListener("seeked", () => {
        const { canvas } = this.waiting.shift() || {};
        if (canvas) canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
        if (canvas) canvas.classList.add("drawn");
        this._next();
      });
      setTimeout(() => { if (this.video) this.video.src = this.src; }, 300); // the page comes first
    }

    _next() {
      if (!this.video) return;
      if (this.waiting.length) this.video.currentTime = this.waiting[0].time + 0.01;
      else this.destroy();
    }
  }

  /** One or two tables behind their names. */
  class Tables {
    constructor(choices) {
      this.choices = choices;
      this.tabs = choices.map((choice, k) => {
        const tab = element("button", { role: "tab", "aria-selected": String(k === 0) }, choice.title);
        tab.addEventListener("click", () => this.choose(k));
        return tab;
      });
      const bar = element("div", { class: "bar" }, element("div", { class: "tabs", role: "tablist" }, ...this.tabs),
        element("span", { class: "spring" }), ...choices.flatMap((choice) => choice.tools || []));
      this.root = element("section", { class: "tables", "aria-label": "Tables" }, bar, ...choices.map((choice) => choice.table.root));
      this.choose(0);
    }

    choose(number) {
      this.choices.forEach((choice, k) => {
        choice.table.root.hidden = k !== number;
        for (const tool of choice.tools || []) tool.hidden = k !== number;
        this.tabs[k].setAttribute("aria-selected", String(k === number));
      });
      this.chosen = this.choices[number];
      this.chosen.table.draw(true);
    }

    /** Mark what belongs to the frame shown. */
    follow(place) {
      if (place === this.place) return;
      this.place = place;
      for (const choice of this.choices) choice.table.isCurrent = (row) => choice.placeOf(row) === place;
      const { table, firstRow } = this.chosen;
      if (table.inOrder && !table.root.matches(":hover, :focus-within")) table.scrollTo(firstRow(place));
      table.draw();
      table.mark();
    }

    destroy() {
      for (const choice of this.choices) choice.table.destroy();
      this.root.remove();
    }
  }

  function detectionTable(recording, choose) {
    const found = recording.detections;
    const read = (name) => readColumn(found[name]);
    const [at, track, label, score] = ["at", "track", "label", "score"].map(read);
    const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map(read);
    const area = (row) => (x2[row] - x1[row]) * (y2[row] - y1[row]);
    const whole = (value) => value.toFixed(0);
    const columns = [
      recording.images
        ? { title: "image", width: "minmax(8rem, 2fr)", button: true, value: (row) => at[row], text: (row) => decodeURIComponent(recording.images[at[row]].split("/").pop()) }
        : { title: "time", width: "minmax(4.2rem, 1fr)", number: true, button: true, value: (row) => at[row], text: (row) => recording.clock(recording.times[at[row]], 2) },
      { title: "class", width: "minmax(3.6rem, 1fr)", value: (row) => found.labels[label[row]], text: (row) => found.labels[label[row]] },
      { title: "score", width: "minmax(3.2rem, 1fr)", number: true, falls: true, value: (row) => score[row], text: (row) => score[row].toFixed(3) },
      { title: "size", width: "minmax(5.2rem, 1.3fr)", number: true, falls: true, value: area, text: (row) => `${whole(x2[row] - x1[row])} × ${whole(y2[row] - y1[row])}` },
      recording.images ? null : { title: "track", width: "minmax(3.5rem, 1fr)", number: true, value: (row) => track[row], text: (row) => (track[row] ? whole(track[row]) : "–") },
      recording.images ? null : { title: "frame", width: "minmax(4rem, 1fr)", number: true, value: (row) => at[row], text: (row) => whole(recording.index[at[row]]) },
      { title: "left, top", width: "minmax(6.5rem, 1.3fr)", number: true, text: (row) => `${whole(x1[row])}, ${whole(y1[row])}` },
    ].filter(Boolean);
    const table = new Table({ label: "Detections", columns, count: at.length, onRow: (row) => choose(at[row]) });
    const tools = [];
    if (found.labels.length > 1) {
      const select = element("select", { "aria-label": "Class" }, element("option", { value: "" }, "all classes"),
        ...found.labels.map((name, k) => element("option", { value: String(k) }, name)));
      select.addEventListener("change", () => {
        const wanted = Number(select.value);
        table.filter(select.value === "" ? null : (row) => label[row] === wanted);
      });
      tools.push(select);
    }
    return { title: `Detections (${at.length.toLocaleString("en")})`, table, tools, placeOf: (row) => at[row], firstRow: (place) => lowerBound(at, place) };
  }

  function frameTable(recording, choose) {
    const columns = [
      { title: "time", width: "minmax(5rem, 1fr)", number: true, button: true, text: (row) => recording.clock(recording.times[row], 2), value: (row) => row },
      { title: "frame", width: "minmax(4rem, 1fr)", number: true, text: (row) => recording.index[row].toFixed(0), value: (row) => row },
    ];
    for (const chart of recording.charts) {
      for (const series of chart.series) {
        const digits = chart.steps ? 0 : 3;
        columns.push({
          title: chart.series.length > 1 ? series.name : chart.title.toLowerCase(), width: "minmax(5.5rem, 1fr)", number: true, falls: true,
          value: (row) => series.numbers[row], text: (row) => number(series.numbers[row], chart.unit, digits),
        });
      }
    }
    const table = new Table({ label: "All frames", columns, count: recording.times.length, onRow: choose });
    return { title: `All frames (${recording.times.length.toLocaleString("en")})`, table, placeOf: (row) => row, firstRow: (place) => place };
  }

  /** Images side by side, each with a line below it. */
  function gallery(title, images, kind = "gallery") {
    return element("section", { class: `block ${kind}` }, element("h2", {}, title),
      element("div", { class: "sheet" }, ...images.map((image) =>
        element("a", { href: image.src },
          element("img", { src: image.src, alt: image.note || image.title || title, loading: "lazy" }),
          image.title ? element("b", {}, image.title) : null,
          element("span", {}, image.note)))));
  }

  function keysHelp() {
    const keys = [
      ["space", "play, pause"], ["← →", "one frame"], ["shift ← →", "one second"], ["J K L", "backwards, stop, forwards; again: faster"],
      ["+ − 0", "zoom in, zoom out, whole recording"], ["F", "full screen"],
    ];
    return element("section", { class: "keys" }, element("h2", {}, "Keys"), element("dl", {}, ...keys.map(([key, what]) =>
      element("div", {}, element("dt", {}, ...key.split(" ").map((each) => element("kbd", {}, each))), element("dd", {}, what)))));
  }

  function mountReport(root, data, options) {
    return new Report(root, data, options);
  }

  Object.assign(DriveReport, { gallery, mountReport });
  globalThis.mountReport = mountReport;
})();
