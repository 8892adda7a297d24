// Charts of a recording below each other on one axis of time, with a cursor at the video's time.
// A click asks for a time, a drag with the mouse for a range; drawing is done by Apache ECharts.
"use strict";

(() => {
  const { colour, element, icon, lowerBound, number, onTheme, positionAt, readColumn, sourceClock, summary, thin } = DriveReport;

  const STEPS_S = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const LABEL_PX = 110;
  const DRAG_PX = 5;
  const SHORTEST_S = 0.2;
  const ZOOM = 2;
  const HEIGHT_PX = 108;

  class Charts {
    /**
     * @param recording data of a recording as `readRecording` gives it: its charts' series with `numbers`.
     * @param onSeek asked to go to a time. @param onRange told what is shown, null for all.
     */
    constructor(recording, { duration, onSeek, onRange = () => {} }) {
      this.recording = recording;
      this.duration = duration;
      this.onSeek = onSeek;
      this.onRange = onRange;
      this.range = null;
      this.time = 0;
      this.hover = null;
      this.root = element("section", { class: "charts", "aria-label": "Charts on the time of the video" });
      this.strip = element("div", { class: "strip", "aria-hidden": "true" });
      this.axis = element("div", { class: "axis", "aria-hidden": "true" });
      this.panels = recording.charts.map((chart) => new Panel(chart, recording));
      this.root.append(this._bar(), this.strip, ...this.panels.map((panel) => panel.root), this.axis);
      this._listen();
      this._resized = new ResizeObserver(() => this.draw());
      this._resized.observe(this.root);
      this._stopTheme = onTheme(() => this.draw());
    }

    /** From and to in seconds, as shown. */
    get shown() {
      return this.range || [0, this.duration || 1];
    }

    setDuration(duration) {
      if (Math.abs(duration - this.duration) < 1e-3) return;
      this.duration = duration;
      this.draw();
    }

    /** Show a part, or with null all. */
    setRange(range) {
      if (range) {
        let [from, to] = range;
        const length = Math.min(Math.max(to - from, SHORTEST_S), this.duration);
        from = Math.max(0, Math.min(from, this.duration - length));
        range = length >= this.duration * 0.999 ? null : [from, from + length];
      }
      this.range = range;
      this.root.classList.toggle("zoomed", Boolean(range));
      this.draw();
      this.onRange(range);
    }

    /** Show `1 / factor` of what is shown, around a time. */
    zoom(factor, around = this.time) {
      const [from, to] = this.shown;
      const middle = Math.max(from, Math.min(around, to));
      this.setRange([middle - (middle - from) / factor, middle + (to - middle) / factor]);
    }

    setTime(time, follows = false) {
      this.time = time;
      const [from, to] = this.shown;
      if (follows && this.range && (time > to || time < from)) {
        this.setRange([time - (to - from) * 0.1, time + (to - from) * 0.9]);
      }
      this._place();
      if (this.hover === null) this._say(time);
    }

    /** The time at an x of the window, and back. */
    timeAt(clientX) {
      const { left, width } = this._inner();
      const [from, to] = this.shown;
      return from + Math.max(0, Math.min(1, (clientX - left) / width)) * (to - from);
    }

    xAt(time) {
      const { left, width } = this._inner();
      const [from, to] = this.shown;
      return left + ((time - from) / (to - from)) * width;
    }

    draw() {
      if (this._asked) return;
      this._asked = requestAnimationFrame(() => {
        this._asked = 0;
        this._draw();
      });
    }

    destroy() {
      cancelAnimationFrame(this._asked);
      this._resized.disconnect();
      this._stopTheme();
      for (const panel of this.panels) panel.destroy();
      this.root.remove();
    }

    _inner() {
      const box = this.axis.getBoundingClientRect();
      return { left: box.left, width: Math.max(1, box.width) };
    }

    _bar() {
      const make = (name, title, act) => {
        const button = element("button", { class: "quiet", title, "aria-label": title }, icon(name));
        button.addEventListener("click", act);
        return button;
      };
      const all = element("button", { class: "quiet all", title: "Show the whole recording (0)" }, "Whole recording");
      all.addEventListener("click", () => this.setRange(null));
      this._span = element("span", { class: "span" });
      return element("div", { class: "bar" }, element("h2", {}, "Over time"), this._span, element("span", { class: "spring" }),
        all, make("farther", "Show more time (−)", () => this.zoom(1 / ZOOM)), make("nearer", "Show less time (+)", () => this.zoom(ZOOM)));
    }

    _draw() {
      const { width } = this._inner();
      const [from, to] = this.shown;
      const { clock, first_s: first } = this.recording;
      const ticks = timeTicks(from + first, to + first, width).map((tick) => tick - first);
      const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
      const digits = [0.99, 0.09].filter((second) => step < second).length;
      this._span.textContent = this.range ? `${clock(from)} to ${clock(to)}` : "click to seek, drag to zoom";
      this.axis.replaceChildren(...ticks.map((tick) =>
        element("span", { style: `left:${share(tick, from, to)}` }, clock(tick, digits))));
      const found = this.recording.moments.filter((moment) => moment.time >= from && moment.time <= to);
      this.strip.replaceChildren(...found.map((moment) => {
        const mark = element("button", {
          class: `mark ${moment.kind}`, tabindex: "-1", style: `left:${share(moment.time, from, to)}`,
          title: `${clock(moment.time, 2)}: ${moment.text}`,
        });
        mark.addEventListener("click", () => this.onSeek(moment.time, moment));
        return mark;
      }));
      for (const panel of this.panels) panel.draw(from, to, ticks);
      this._place();
      this._say(this.hover === null ? this.time : this.hover);
    }

    _place() {
      const [from, to] = this.shown;
      for (const panel of this.panels) {
        panel.place("cursor", this.time, from, to);
        panel.place("hover", this.hover, from, to);
      }
    }

    _say(time) {
      for (const panel of this.panels) panel.say(positionAt(this.recording.times, time));
    }

    _listen() {
      let pressed = null;
      const isPlot = (event) => event.target.closest && event.target.closest(".plot");
      this.root.addEventListener("pointerdown", (event) => {
        if (!isPlot(event) || event.button !== 0) return;
        pressed = { x: event.clientX, time: this.timeAt(event.clientX), touch: event.pointerType === "touch", drags: false };
        if (!pressed.touch) event.preventDefault(); // no text is selected
      });
      this.root.addEventListener("pointermove", (event) => {
        if (!isPlot(event) && !pressed) {
          this._setHover(null);
          return;
        }
        if (event.pointerType !== "touch") this._setHover(this.timeAt(event.clientX));
        if (!pressed) return;
        if (Math.abs(event.clientX - pressed.x) > DRAG_PX) {
          if (!pressed.drags && !pressed.touch) this.root.setPointerCapture(event.pointerId);
          pressed.drags = true;
        }
        if (pressed.drags && pressed.touch) this.onSeek(this.timeAt(event.clientX));
        else if (pressed.drags) this._brush(pressed.time, this.timeAt(event.clientX));
      });
      this.root.addEventListener("pointerup", (event) => {
        if (!pressed) return;
        const { time, drags, touch } = pressed;
        pressed = null;
        this._brush(null);
        const now = this.timeAt(event.clientX);
        if (drags && !touch) this.setRange([Math.min(time, now), Math.max(time, now)]);
        else this.onSeek(drags ? now : time);
      });
      this.root.addEventListener("pointercancel", () => {
        pressed = null;
        this._brush(null);
      });
      this.root.addEventListener("pointerleave", () => { if (!pressed) this._setHover(null); });
      this.root.addEventListener("dblclick", (event) => { if (isPlot(event)) this.setRange(null); });
      this.root.addEventListener("wheel", (event) => {
        if (!isPlot(event) || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 300), this.timeAt(event.clientX));
      }, { passive: false });
    }

    _setHover(time) {
      if (time === this.hover) return;
      this.hover = time;
      this._place();
      this._say(time === null ? this.time : time);
    }

    _brush(a, b) {
      const [from, to] = this.shown;
      for (const panel of this.panels) panel.brush(a === null ? null : [Math.min(a, b), Math.max(a, b)], from, to);
    }
  }

  /** One chart: its title with the current values, and the curves. */
  class Panel {
    constructor(chart, recording) {
      this.chart = chart;
      this.clock = recording.clock;
      this.times = recording.times;
      this.gaps = recording.gaps;
      this.values = new Map();
      const legend = element("span", { class: "values" });
      for (const series of chart.series) {
        const text = element("b", {}, "–");
        this.values.set(series, text);
        const name = chart.series.length > 1 ? series.name : "";
        legend.append(element("span", { class: "value" }, element("i", { class: `swatch ${series.role}` }), name, text));
      }
      this.canvas = element("div", { class: "canvas" });
      this.lines = element("div", { class: "lines" });
      this.overlay = { cursor: element("div", { class: "cursor" }), hover: element("div", { class: "hover" }) };
      this.band = element("div", { class: "band", hidden: true });
      const inner = element("div", { class: "inner" }, this.lines, this.band, this.overlay.hover, this.overlay.cursor);
      this.root = element("figure", { class: "chart", id: `chart-${chart.id}` },
        element("figcaption", {}, element("strong", {}, chart.title), element("span", { class: "note" }, chart.note), legend),
        element("div", { class: "plot" }, this.canvas, inner));
      this.inner = inner;
      this.digits = chart.unit === "" && chart.steps ? 0 : chart.unit === "m" ? 2 : chart.unit === "°" ? 1 : 2;
    }

    draw(from, to, ticks) {
      const width = this.canvas.clientWidth;
      if (!width) return;
      if (!this.drawing) this.drawing = echarts.init(this.canvas, null, { height: HEIGHT_PX });
      const left = this.inner.offsetLeft, right = width - left - this.inner.clientWidth;
      if (this.drawing.getWidth() !== width) this.drawing.resize({ width, height: HEIGHT_PX });
      const columns = Math.max(100, Math.round(this.inner.clientWidth));
      this.lines.replaceChildren(...ticks.map((tick) => element("i", { style: `left:${share(tick, from, to)}` })));
      this.drawing.setOption({
        animation: false,
        aria: { enabled: true, label: { description: this.inWords(from, to) } },
        grid: { left, right, top: 8, bottom: 8 },
        xAxis: { type: "value", min: from, max: to, show: false },
        yAxis: this.yAxis(),
        series: this.chart.series.map((series, k) => ({
          type: "line",
          name: series.name,
          data: thin(this.times, series.numbers, from, to, columns, this.gaps),
          step: this.chart.steps ? "end" : false,
          showSymbol: false,
          symbol: "none",
          silent: true,
          connectNulls: false,
          z: series.role === "recorded" ? 2 : 3,
          lineStyle: { color: colour(series.role), width: series.width || (series.role === "recorded" ? 2.5 : 1.5), type: series.line || "solid" },
          areaStyle: this.chart.series.length === 1 && this.chart.zero ? { color: colour(series.role), opacity: 0.12 } : undefined,
          markLine: k === 0 && this.chart.limits.length ? {
            silent: true, symbol: "none", label: { show: false }, animation: false,
            lineStyle: { color: colour("limit"), type: "dashed", width: 1 },
            data: this.chart.limits.map((limit) => ({ yAxis: limit })),
          } : undefined,
        })),
      }, { notMerge: true });
    }

    yAxis() {
      return {
        type: "value",
        scale: !this.chart.zero,
        splitNumber: 3,
        interval: this.chart.id === "score" ? 0.5 : undefined,
        minInterval: this.chart.steps ? 1 : 0,
        min: this.chart.id === "score" ? 0 : undefined,
        max: this.chart.id === "score" ? 1 : undefined,
        axisLabel: {
          color: colour("soft"), fontSize: 11, fontFamily: "inherit", hideOverlap: true,
          formatter: (value) => (value < 0 ? `−${-round(value)}` : `${round(value)}`) + (this.chart.unit === "°" ? "°" : ""),
        },
        splitLine: { lineStyle: { color: colour("line"), width: 1 } },
        axisLine: { show: false },
        axisTick: { show: false },
      };
    }

    /** A description of the chart for screen readers. */
    inWords(from, to) {
      const begin = lowerBound(this.times, from), end = lowerBound(this.times, to);
      const parts = this.chart.series.map((series) => {
        const found = summary(series.numbers, begin, end);
        if (!found) return `${series.name}: no values`;
        const say = (value) => number(value, this.chart.unit, this.digits);
        return `${series.name}: lowest ${say(found.low)}, mean ${say(found.mean)}, highest ${say(found.high)}`;
      });
      return `${this.chart.title} from ${this.clock(from)} to ${this.clock(to)}. ${parts.join(". ")}.`;
    }

    say(position) {
      for (const [series, text] of this.values) {
        text.textContent = number(series.numbers[position], this.chart.unit, this.digits);
      }
    }

    place(name, time, from, to) {
      const line = this.overlay[name];
      const visible = time !== null && time >= from && time <= to;
      line.hidden = !visible;
      if (visible) line.style.transform = `translateX(${((time - from) / (to - from)) * this.inner.clientWidth}px)`;
    }

    brush(range, from, to) {
      this.band.hidden = !range;
      if (!range) return;
      this.band.style.left = share(range[0], from, to);
      this.band.style.width = `${((range[1] - range[0]) / (to - from)) * 100}%`;
    }

    destroy() {
      if (this.drawing) this.drawing.dispose();
    }
  }

  function share(time, from, to) {
    return `${(((time - from) / (to - from)) * 100).toFixed(4)}%`;
  }

  function round(value) {
    return Number(value.toPrecision(6));
  }

  function timeTicks(from, to, width) {
    const most = Math.max(2, width / LABEL_PX);
    const step = STEPS_S.find((each) => (to - from) / each <= most) || STEPS_S.at(-1);
    const ticks = [];
    for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k++) ticks.push(k * step);
    return ticks;
  }

  /** Read what a recording's page works with: times and how they are written, frame numbers, curves. */
  function readRecording(recording) {
    return {
      ...recording,
      clock: sourceClock(recording.first_s),
      times: readColumn(recording.frames.time),
      index: readColumn(recording.frames.index),
      charts: recording.charts.map((chart) => ({
        ...chart,
        series: chart.series.map((series) => ({ ...series, numbers: readColumn(series.values) })),
      })),
    };
  }

  Object.assign(DriveReport, { Charts, readRecording });
})();
