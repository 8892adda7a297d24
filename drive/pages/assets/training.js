// A training: losses as they come, learning rate, angles, predictions, images of frames and layers.
"use strict";

(() => {
  const { Progress, clock, colour, element, gallery, number, onTheme, readColumn } = DriveReport;

  const [EPOCH, LOSS, VALIDATION, RATE, SECONDS] = [0, 1, 2, 3, 4];
  const LOG_FROM = 20; // highest over lowest loss from which on the axis is logarithmic
  const LARGE = 3000; // points from which on ECharts draws them all at once
  const WORST_LISTED = 12;
  const DEGREES_A_LINE = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 45, 90];
  const MOST_LINES = 4; // on each side of straight on

  class Training {
    constructor(data, base) {
      this.base = base;
      this.plots = [];
      this.progress = new Progress("Training");
      this.grid = element("div", { class: "plots" });
      this.rest = element("div", {});
      this.root = element("div", { class: "training" }, this.progress.root, this.grid, this.rest);
      this._loss = this._plot("loss", "Loss", (training) => lossOption(training), lossWords);
      this._rate = this._plot("rate", "Learning rate", (training) => rateOption(training), rateWords);
      this._distribution = this._plot("distribution", "Distribution of the angles", (training) => distributionOption(training), () => "");
      this._scatter = this._plot("scatter", "Predicted against recorded angle", (training) => scatterOption(training), scatterWords);
      this._stopTheme = onTheme(() => this._draw());
      this._resized = new ResizeObserver(() => this._draw());
      this._resized.observe(this.grid);
      this.update(data);
    }

    update(data) {
      const news = !this.data || data.written !== this.data.written;
      this.data = data;
      if (!news) {
        this._showState();
        return;
      }
      this.training = readTraining(data.training);
      this._showState();
      this._draw();
      this._showRest();
    }

    lost() { this.progress.lost(); }

    destroy() {
      this._stopTheme();
      this._resized.disconnect();
      for (const plot of this.plots) if (plot.drawing) plot.drawing.dispose();
    }

    _plot(name, title, option, words) {
      const canvas = element("div", { class: "canvas" });
      const note = element("span", { class: "note" });
      const legend = element("span", { class: "values" });
      const root = element("figure", { class: `plot-card ${name}`, hidden: true },
        element("figcaption", {}, element("strong", {}, title), note, legend), canvas);
      this.grid.append(root);
      const plot = { name, root, canvas, note, legend, option, words, drawing: null };
      this.plots.push(plot);
      return plot;
    }

    _draw() {
      for (const plot of this.plots) {
        const option = plot.option(this.training);
        plot.root.hidden = !option;
        if (!option || !plot.canvas.clientWidth) continue;
        const words = plot.words(this.training);
        plot.note.textContent = words;
        plot.legend.replaceChildren(...(option.series.length > 1 ? option.series : []).filter((series) => series.name).map((series) =>
          element("span", { class: "value" }, element("i", { class: "swatch", style: `--role:${series.color}` }), series.name)));
        const size = { width: plot.canvas.clientWidth, height: plot.canvas.clientHeight };
        if (!plot.drawing) plot.drawing = echarts.init(plot.canvas, null, size);
        else plot.drawing.resize(size);
        plot.drawing.setOption({ animation: false, aria: { enabled: true, label: { description: `${plot.root.querySelector("strong").textContent}. ${words}` } }, ...option }, { notMerge: true });
      }
    }

    _showState() {
      const { histories, epochs: asked } = this.training;
      const rows = histories.flatMap((history) => history.rows);
      const done = histories.length ? histories.at(-1).rows.length : 0;
      const each = rows.length ? rows.reduce((sum, row) => sum + row[SECONDS], 0) / rows.length : 0;
      const member = histories.length > 1 ? `network ${histories.length}, ` : "";
      this.progress.show(this.data, {
        done, asked,
        text: done ? `${member}epoch ${done}${asked ? ` of ${asked}` : ""} done` : "waiting for the first epoch",
        left: done && asked && each ? `, about ${duration((asked - done) * each)} to go at most` : "",
      });
    }

    _showRest() {
      const { training } = this;
      const parts = [];
      const made = (list) => list.map((image) => ({ ...image, src: this.base + image.src }));
      if (training.worst.length) parts.push(gallery("Frames with the largest errors", made(training.worst), "worst"));
      if (training.layers.length) parts.push(gallery("Kernels and feature maps of the first layers", made(training.layers), "layers"));
      const tables = [historyTable(training), worstTable(training)].filter(Boolean);
      parts.push(element("section", { class: "numbers" }, ...tables));
      const open = [...this.rest.querySelectorAll("details")].map((each) => each.open);
      this.rest.replaceChildren(...parts);
      [...this.rest.querySelectorAll("details")].forEach((each, k) => { each.open = Boolean(open[k]); });
    }
  }

  function readTraining(training) {
    const { predictions } = training;
    if (!predictions) return training;
    const read = Object.fromEntries(["angle", "truth", "name", "frame", "time"].map((key) => [key, readColumn(predictions[key])]));
    return { ...training, predictions: { ...predictions, ...read } };
  }

  function axis(more) {
    return {
      type: "value",
      nameLocation: "middle", nameGap: 28, nameTextStyle: { color: colour("soft"), fontSize: 11, fontFamily: "inherit" },
      axisLabel: { color: colour("soft"), fontSize: 11, fontFamily: "inherit", hideOverlap: true },
      axisLine: { show: false }, axisTick: { show: false },
      splitLine: { lineStyle: { color: colour("line") } },
      ...more,
    };
  }

  const GRID = { left: 56, right: 16, top: 12, bottom: 44 };

  function tooltip(more) {
    return {
      backgroundColor: colour("card"), borderColor: colour("line"), padding: [6, 10],
      textStyle: { color: colour("ink"), fontSize: 12, fontFamily: "inherit" }, confine: true, ...more,
    };
  }

  /** What a tooltip says: a line and values, as elements, so that names stay text. */
  function said(title, lines) {
    return element("div", {}, element("b", {}, title), ...lines.map((line) => element("div", {}, line)));
  }

  function losses(training) {
    return training.histories.flatMap((history) => history.rows.flatMap((row) => [row[LOSS], row[VALIDATION]])).filter((value) => value !== null);
  }

  function lossOption(training) {
    const all = losses(training);
    if (!all.length) return null;
    const low = Math.min(...all), high = Math.max(...all);
    const series = training.histories.flatMap((history, k) => {
      const name = history.name ? `${history.name}, ` : "";
      const many = training.histories.length > 1;
      const curve = (title, column, role) => ({
        type: "line", name: name + title, data: history.rows.map((row) => [row[EPOCH], row[column]]),
        showSymbol: history.rows.length < 30, symbolSize: 5, symbol: column === LOSS ? "emptyCircle" : "circle", color: colour(role),
        lineStyle: { width: many ? 1.2 : 2, type: column === LOSS ? "solid" : [6, 3], opacity: many ? 0.55 + 0.45 * ((k + 1) / training.histories.length) : 1 },
      });
      return [curve("training", LOSS, "model"), curve("validation", VALIDATION, "recorded")];
    });
    const epochs = training.histories.flatMap((history) => history.rows.map((row) => row[EPOCH]));
    const ends = [Math.min(...epochs), Math.max(...epochs, 2)];
    const levels = (training.levels || []).map((level, k) => ({
      type: "line", name: level.name, data: ends.map((epoch) => [epoch, level.loss]), showSymbol: false, silent: true,
      color: colour("soft"), lineStyle: { width: 1.2, type: k ? [2, 3] : [8, 3, 2, 3] },
    }));
    series.push(...levels);
    return {
      grid: GRID, series,
      tooltip: tooltip({ trigger: "axis", formatter: (items) => said(`epoch ${items[0].value[0]}`, items.map((item) => `${item.seriesName}: ${number(item.value[1], "", 4)}`)) }),
      xAxis: axis({ name: "epoch", minInterval: 1, min: 1, max: (value) => Math.max(value.max, 2) }),
      yAxis: axis(low > 0 && high / low > LOG_FROM ? { type: "log" } : { min: 0 }),
    };
  }

  function lossWords(training) {
    const rows = training.histories.flatMap((history) => history.rows).filter((row) => row[VALIDATION] !== null);
    const note = training.loss_note ? `. ${training.loss_note}` : "";
    if (!rows.length) return `${training.loss_unit}${note}`;
    const best = rows.reduce((a, b) => (b[VALIDATION] < a[VALIDATION] ? b : a));
    const levels = (training.levels || []).map((level) => `, ${level.name} ${number(level.loss, "", 3)}`).join("");
    return `${training.loss_unit ? `${training.loss_unit}; ` : ""}lowest validation ${number(best[VALIDATION], "", 3)} in epoch ${best[EPOCH]}${levels}${note}`;
  }

  function rateOption(training) {
    const rows = training.histories.length ? training.histories.at(-1).rows : [];
    if (!rows.length) return null;
    return {
      grid: GRID,
      series: [{ type: "line", name: "learning rate", data: rows.map((row) => [row[EPOCH], row[RATE]]), step: false, color: colour("smoothed"), showSymbol: rows.length < 30, lineStyle: { width: 2 } }],
      tooltip: tooltip({ trigger: "axis", formatter: (items) => said(`epoch ${items[0].value[0]}`, [exponent(items[0].value[1])]) }),
      xAxis: axis({ name: "epoch", minInterval: 1, min: 1, max: (value) => Math.max(value.max, 2) }),
      yAxis: axis({ min: 0, axisLabel: { color: colour("soft"), fontSize: 11, formatter: (value) => (value ? exponent(value) : "0") } }),
    };
  }

  function rateWords(training) {
    const rows = training.histories.length ? training.histories.at(-1).rows : [];
    return rows.length ? `mean per epoch; last ${exponent(rows.at(-1)[RATE])}` : "";
  }

  function exponent(value) {
    if (value === null) return "–";
    const short = Number(value.toPrecision(3));
    return Math.abs(short) < 1e-4 ? short.toExponential() : short.toString();
  }

  function distributionOption(training) {
    const found = training.distribution;
    if (!found) return null;
    const roles = { predictions: "model", model: "model", ensemble: "model", validation: "recorded", recorded: "recorded", human: "recorded" };
    const middle = found.edges.slice(1).map((edge, k) => (edge + found.edges[k]) / 2);
    return {
      grid: GRID,
      tooltip: tooltip({ trigger: "axis", formatter: (items) => said(`${number(items[0].value[0], "°", 1)}`, items.map((item) => `${item.seriesName}: ${(item.value[1] * 100).toFixed(1)} %`)) }),
      xAxis: axis({ name: "angle in degrees, positive to the right", min: found.edges[0], max: found.edges.at(-1) }),
      yAxis: axis({ axisLabel: { color: colour("soft"), fontSize: 11, formatter: (value) => `${Math.round(value * 100)} %` } }),
      series: found.series.map((series) => {
        const balanced = series.name.includes("balanced");
        const role = balanced ? "smoothed" : roles[series.name.split(" ")[0]] || "soft";
        return {
          type: "line", step: "middle", name: series.name, showSymbol: false, color: colour(role),
          data: series.shares.map((part, k) => [middle[k], part]), lineStyle: { width: role === "soft" ? 0 : 1.7, type: balanced ? "dashed" : "solid" },
          areaStyle: role === "soft" ? { opacity: 0.28 } : undefined, endLabel: { show: false },
        };
      }),
    };
  }

  function scatterOption(training) {
    const found = training.predictions;
    if (!found || !found.truth.length) return null;
    let widest = 0.1;
    for (const values of [found.truth, found.angle]) for (const value of values) widest = Math.max(widest, Math.abs(value));
    const interval = DEGREES_A_LINE.find((step) => step * MOST_LINES >= widest) || Math.ceil(widest / MOST_LINES);
    widest = Math.ceil(widest / interval) * interval;
    const points = Array.from(found.truth, (truth, k) => [truth, found.angle[k]]);
    return {
      grid: GRID,
      tooltip: tooltip({ trigger: "item", formatter: (item) => (item.seriesIndex ? "" : said(place(found, item.dataIndex), [`recorded ${number(item.value[0], "°", 2)}`, `model ${number(item.value[1], "°", 2)}`])) }),
      xAxis: axis({ name: "recorded, degrees", min: -widest, max: widest, interval }),
      yAxis: axis({ name: "model, degrees", nameGap: 36, min: -widest, max: widest, interval }),
      series: [
        { type: "scatter", data: points, symbolSize: points.length > LARGE ? 2.5 : 4.5, large: points.length > LARGE, itemStyle: { color: colour("model"), opacity: points.length > 500 ? 0.35 : 0.6 } },
        { type: "line", data: [[-widest, -widest], [widest, widest]], showSymbol: false, silent: true, lineStyle: { color: colour("recorded"), width: 1.5, type: "dashed" } },
      ],
    };
  }

  function scatterWords(training) {
    const found = training.predictions;
    if (!found || !found.truth.length) return "";
    let sum = 0;
    for (let k = 0; k < found.truth.length; k++) sum += (found.angle[k] - found.truth[k]) ** 2;
    return `${found.truth.length.toLocaleString("en")} held-out frames; RMSE ${number(Math.sqrt(sum / found.truth.length), "°", 2)}; the dashed line is a perfect prediction`;
  }

  function place(found, k) {
    return `${found.names[found.name[k]]}, frame ${found.frame[k]}, ${clock(found.time[k], 1)}`;
  }

  function plainTable(title, head, rows) {
    return element("details", {}, element("summary", {}, title), element("div", { class: "wide" }, element("table", {},
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))))));
  }

  function historyTable(training) {
    const many = training.histories.length > 1;
    const rows = training.histories.flatMap((history) => history.rows.map((row) => [
      ...(many ? [history.name] : []), String(row[EPOCH]), number(row[LOSS], "", 4), number(row[VALIDATION], "", 4), exponent(row[RATE]), number(row[SECONDS], "s", 1),
    ]));
    if (!rows.length) return null;
    return plainTable("All epochs", [...(many ? ["network"] : []), "epoch", "loss", "validation loss", "learning rate", "took"], rows);
  }

  function worstTable(training) {
    const found = training.predictions;
    if (!found || !found.truth.length) return null;
    const order = Array.from(found.truth.keys()).sort((a, b) => Math.abs(found.angle[b] - found.truth[b]) - Math.abs(found.angle[a] - found.truth[a]));
    return plainTable("Largest errors", ["frame", "recorded", "model", "error"], order.slice(0, WORST_LISTED).map((k) => [
      place(found, k), number(found.truth[k], "°", 2), number(found.angle[k], "°", 2), number(found.angle[k] - found.truth[k], "°", 2)]));
  }

  function duration(seconds) {
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${(seconds / 3600).toFixed(1)} h`;
  }

  DriveReport.Training = Training;
})();
