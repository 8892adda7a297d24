// Two runs beside each other: videos in step, curves over each other, numbers and settings.
"use strict";

(() => {
  const { Charts, colour, element, onTheme, positionAt, readRecording, sourceClock, themeButton } = DriveReport;
  const { ask, complain, encoded, Pair, Screen, stateBadge } = DriveView;

  const SIDES = ["A", "B"];
  const ALWAYS_OTHERS = new Set(["out", "overwrite", "resume", "config"]);
  const SAME_MOMENT_S = 1e-3;
  const LAST_S = 0.5; // the last frame is shown as long as the one before it, but no longer than this
  const SECONDS_A_JUMP = 1;
  const [EPOCH, LOSS, VALIDATION] = [0, 1, 2];
  const LOG_FROM = 20;

  const STROKES = { A: { width: 4.5 }, B: { width: 1.75 }, recorded: { width: 1.5, line: "dashed" } }; // equal curves stay two

  const place = document.getElementById("comparison");
  const query = new URLSearchParams(location.search);
  const names = [query.get("a"), query.get("b")];

  let pair = null;
  let charts = null;

  function baseOf(run) { return run ? `/files/${encoded(run)}/` : "/files/"; }

  function sameSource(a, b) {
    const keys = (data) => data.inputs.map((entry) => entry.sha256 || entry.path);
    const found = keys(a);
    return found.length > 0 && found[0] === keys(b)[0];
  }

  /** Which recordings to show: of the same name where there are such. */
  function matchDrives(a, b) {
    const recordings = [a, b].map((data) => (data.report ? data.report.recordings : []));
    const pairs = [];
    recordings[0].forEach((recording, k) => {
      const other = recordings[1].findIndex((each) => each.name === recording.name);
      if (other >= 0) pairs.push([k, other, recording.name]);
    });
    if (!pairs.length && recordings[0].length && recordings[1].length) pairs.push([0, 0, `${recordings[0][0].name} and ${recordings[1][0].name}`]);
    return pairs;
  }

  // Heads

  function head(side, data) {
    const { report } = data;
    const title = (report && report.title) || data.run;
    const facts = element("dl", { class: "facts" }, ...((report && report.facts) || []).map((fact) =>
      element("div", { title: fact.note || null }, element("dt", {}, fact.label), element("dd", {}, fact.value))));
    return element("div", { class: "side" },
      element("p", { class: "kind" }, element("b", { class: `letter ${side.toLowerCase()}` }, side),
        element("b", {}, (report && report.command) || "run"), stateBadge(data.state)),
      element("h2", {}, element("a", { href: `/run/${encoded(data.run)}` }, title)),
      element("p", { class: "soft" }, element("span", { class: "name" }, data.run || "this folder")),
      ...[data.error, ...((report && report.damaged) || [])].filter(Boolean).map((text) => element("p", { class: "problem" }, text)), facts);
  }

  // Videos and curves

  function showRecordings(stage, both, [first, second]) {
    if (pair) pair.destroy();
    if (charts) charts.destroy();
    const recordings = [readRecordingOf(both[0], first), readRecordingOf(both[1], second)];
    const begins = recordings.map((recording) => recording.first_s || 0);
    const earliest = sameSource(...both) ? Math.min(...begins) : null;
    const delays = begins.map((begin) => (earliest === null ? 0 : begin - earliest));
    const screens = recordings.map((recording, k) =>
      new Screen(recording, baseOf(both[k].run), delays[k], `Video ${SIDES[k]}: ${both[k].run}`));
    pair = new Pair(screens, sourceClock(earliest || 0));
    const sides = screens.map((screen, k) => element("figure", { class: `side ${SIDES[k].toLowerCase()}` },
      element("figcaption", {}, element("b", { class: `letter ${SIDES[k].toLowerCase()}` }, SIDES[k]), both[k].run || "this folder"), screen.root));
    stage.replaceChildren(element("div", { class: "screens" }, ...sides), pair.controls);
    const drawn = overlay(recordings, delays, earliest);
    charts = null;
    if (drawn.charts.length) {
      charts = new Charts(drawn, { duration: pair.duration, onSeek: (time) => pair.seek(time) });
      stage.append(element("div", { class: "drive-report bare" }, charts.root));
    }
    pair.onTime((time) => {
      if (!charts) return;
      charts.setDuration(pair.duration);
      charts.setTime(time, pair.playing);
    });
    Object.assign(DriveView, { pair, charts });
  }

  function readRecordingOf(data, number) {
    const recording = data.report.recordings[number];
    return recording.frames ? readRecording(recording) : { ...recording, times: Float64Array.from(recording.images || [], (_, k) => k), gaps: [], charts: [] };
  }

  /** All times of both recordings on the pair's clock, in order, each once. */
  function unionOfTimes(recordings, delays) {
    const all = recordings.flatMap((recording, k) => Array.from(recording.times, (time) => time + delays[k])).sort((a, b) => a - b);
    return Float64Array.from(all.filter((time, k) => k === 0 || time - all[k - 1] > SAME_MOMENT_S));
  }

  /** Position of a recording's frame that is shown at a time of the pair's clock; -1 where none is. */
  function frameAt(recording, delay, time) {
    const own = time - delay + SAME_MOMENT_S;
    const at = positionAt(recording.times, own);
    const since = own - recording.times[at];
    const isLast = at === recording.times.length - 1;
    const lasts = Math.min(at ? recording.times[at] - recording.times[at - 1] : LAST_S, LAST_S);
    const over = since > lasts && (isLast || recording.gaps.includes(at + 1));
    return since >= 0 && !over ? at : -1;
  }

  /** Positions of times before which neither of the recordings goes on from the time before. */
  function gapsOf(times, recordings, delays) {
    const goesOn = (recording, delay, time) => {
      const at = frameAt(recording, delay, time);
      return at >= 0 && at + 1 < recording.times.length && !recording.gaps.includes(at + 1);
    };
    const broken = (time) => !recordings.some((recording, k) => goesOn(recording, delays[k], time));
    return Array.from(times.keys()).filter((place) => place > 0 && broken(times[place - 1]));
  }

  /** The values of `numbers` with those of `others` where they have none. */
  function filled(numbers, others) {
    return numbers.map((value, place) => (value === value ? value : others[place]));
  }

  /**
   * The charts of both recordings as those of one, with the curves of each side in its own colour.
   * `earliest`: where the pair begins in their common source; null where they have none.
   */
  function overlay(recordings, delays, earliest) {
    const same = earliest !== null;
    const first = earliest || 0;
    const times = unionOfTimes(recordings, delays);
    const made = new Map();
    recordings.forEach((recording, k) => {
      const shown = times.map((time) => frameAt(recording, delays[k], time));
      for (const chart of recording.charts) {
        if (!made.has(chart.id)) made.set(chart.id, { ...chart, series: [] });
        const into = made.get(chart.id);
        chart.series.forEach((series, place) => {
          const recorded = series.role === "recorded";
          const numbers = shown.map((at) => (at < 0 ? NaN : series.numbers[at]));
          const known = recorded && same && into.series.find((each) => each.role === "recorded");
          if (known) {
            known.numbers = filled(known.numbers, numbers);
            return;
          }
          const alone = chart.series.length === 1 ? "" : ` ${series.name}`;
          const side = SIDES[k];
          into.series.push({
            name: recorded && same ? series.name : `${side}${alone}`,
            role: recorded ? "recorded" : side.toLowerCase() + (place > 0 ? "2" : ""),
            ...(recorded ? STROKES.recorded : STROKES[side]),
            numbers,
          });
        });
        for (const limit of chart.limits) if (!into.limits.includes(limit)) into.limits.push(limit);
      }
    });
    return { times, gaps: gapsOf(times, recordings, delays), first_s: first, clock: sourceClock(first), moments: [], charts: [...made.values()] };
  }

  // Trainings

  function lossChart(both) {
    const found = both.map((data) => (data.report && data.report.training ? data.report.training.histories : []));
    if (!found.some((histories) => histories.some((history) => history.rows.length))) return null;
    const words = element("span", { class: "note" }, "solid: training, dashed: validation");
    const canvas = element("div", { class: "canvas" });
    const card = element("figure", { class: "plot-card" }, element("figcaption", {}, element("strong", {}, "Loss"), words), canvas);
    let drawing = null;
    function draw() {
      if (!canvas.clientWidth) return;
      const size = { width: canvas.clientWidth, height: canvas.clientHeight };
      if (!drawing) drawing = echarts.init(canvas, null, size);
      else drawing.resize(size);
      drawing.setOption(lossOption(found, both), { notMerge: true });
    }
    new ResizeObserver(draw).observe(canvas);
    onTheme(draw);
    return element("div", { class: "drive-report bare" }, card);
  }

  function lossOption(found, both) {
    const all = [];
    const series = found.flatMap((histories, k) => histories.flatMap((history) => [[LOSS, "training", "solid"], [VALIDATION, "validation", "dashed"]].map(([column, name, type]) => {
      all.push(...history.rows.map((row) => row[column]).filter((value) => value > 0));
      const ink = colour(SIDES[k].toLowerCase());
      return {
        type: "line", name: `${SIDES[k]}${history.name ? ` ${history.name}` : ""}, ${name}`, symbol: "circle", symbolSize: 4, showSymbol: history.rows.length < 3,
        data: history.rows.map((row) => [row[EPOCH], row[column]]), lineStyle: { color: ink, type, width: column === VALIDATION ? 2 : 1.25 }, itemStyle: { color: ink },
      };
    })));
    const text = { color: colour("soft"), fontSize: 11, fontFamily: "inherit" };
    const axis = { axisLabel: text, nameTextStyle: text, nameLocation: "middle", axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: colour("line") } } };
    const low = Math.min(...all), high = Math.max(...all);
    const best = found.map((histories, k) => {
      const values = histories.flatMap((history) => history.rows.map((row) => row[VALIDATION]));
      return values.length ? `${SIDES[k]} (${both[k].run}): lowest validation loss ${Math.min(...values).toFixed(3)}` : "";
    });
    return {
      animation: false,
      aria: { enabled: true, label: { description: `Loss per epoch. ${best.filter(Boolean).join(". ")}.` } },
      grid: { left: 56, right: 16, top: 12, bottom: 44 },
      tooltip: { trigger: "axis", confine: true, backgroundColor: colour("card"), borderColor: colour("line"), textStyle: { color: colour("ink"), fontSize: 12 }, valueFormatter: (value) => (value === undefined ? "–" : Number(value).toFixed(3)) },
      xAxis: { ...axis, type: "value", name: "epoch", nameGap: 28, minInterval: 1, min: "dataMin", max: "dataMax" },
      yAxis: { ...axis, type: high / low > LOG_FROM ? "log" : "value", scale: true, nameGap: 40 },
      series,
    };
  }

  // Tables

  function plainly(value) {
    if (value === null || value === undefined || value === false || value === "" || (Array.isArray(value) && !value.length)) return "–";
    if (value === true) return "yes";
    if (Array.isArray(value)) return value.map(plainly).join(", ");
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  function table(title, rows, empty, id) {
    const body = rows.map(([name, a, b]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, a), element("td", {}, b)));
    return element("section", { class: "block", id }, element("h2", {}, title), rows.length
      ? element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, element("td", {}),
        ...SIDES.map((side) => element("th", { scope: "col" }, element("b", { class: `letter ${side.toLowerCase()}` }, side))))), element("tbody", {}, ...body)))
      : element("p", { class: "soft" }, empty));
  }

  function numberRows(both) {
    const facts = both.map((data) => new Map(((data.report && data.report.facts) || []).map((fact) => [fact.label, fact])));
    const cell = (fact) => (fact ? [fact.value, fact.note ? element("small", {}, fact.note) : ""] : ["–"]);
    return [...new Set([...facts[0].keys(), ...facts[1].keys()])].map((label) =>
      [label, element("span", {}, ...cell(facts[0].get(label))), element("span", {}, ...cell(facts[1].get(label)))]);
  }

  function settingRows(both) {
    const [a, b] = both.map((data) => data.settings);
    const found = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !ALWAYS_OTHERS.has(name)).sort();
    const rows = found.map((name) => [name.replaceAll("_", "-"), plainly(a[name]), plainly(b[name])]);
    const command = both.map((data) => (data.report ? data.report.command : ""));
    if (command[0] !== command[1]) rows.unshift(["command", ...command]);
    return rows;
  }

  function settings(both) {
    const rows = settingRows(both);
    const differ = rows.filter(([, a, b]) => a !== b);
    const same = rows.filter(([, a, b]) => a === b && a !== "–");
    const section = table("Settings that differ", differ, "All settings are the same.", "settings");
    if (same.length) {
      section.append(element("details", {}, element("summary", {}, `${same.length} settings are the same`),
        element("table", {}, ...same.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))))));
    }
    return section;
  }

  // Page

  function build(both) {
    document.title = `${names[0]} and ${names[1]} - drive`;
    const stage = element("section", { class: "stage-pair", "aria-label": "Videos and charts of both" });
    const parts = [element("div", { class: "heads" }, ...both.map((data, k) => head(SIDES[k], data)))];
    const pairs = matchDrives(...both);
    if (pairs.length > 1) {
      const choose = element("select", {}, ...pairs.map(([, , name], k) => element("option", { value: String(k) }, name)));
      choose.addEventListener("change", () => showRecordings(stage, both, pairs[Number(choose.value)]));
      parts.push(element("label", { class: "choose" }, "Recording ", choose));
    }
    if (pairs.length) parts.push(stage);
    const losses = lossChart(both);
    if (losses) parts.push(losses);
    if (!pairs.length && !losses) parts.push(element("p", { class: "soft nothing" }, "These runs have no videos, charts or losses in common. Their numbers and settings are below."));
    parts.push(element("div", { class: "tables" }, table("Numbers", numberRows(both), "Neither run has key numbers.", "numbers"), settings(both)));
    place.replaceChildren(...parts);
    if (pairs.length) showRecordings(stage, both, pairs[0]);
  }

  function onKey(event) {
    if (!pair || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = event.target;
    if (at.closest && at.closest("select, textarea, input:not([type=range])")) return;
    const typesOnButton = at.closest && at.closest("button, summary, a") && at.matches(":focus-visible");
    const jump = event.shiftKey ? SECONDS_A_JUMP : 0;
    const acts = {
      " ": () => pair.toggle(),
      ArrowLeft: () => (jump ? pair.seek(pair.time - jump) : pair.step(-1)),
      ArrowRight: () => (jump ? pair.seek(pair.time + jump) : pair.step(1)),
      j: () => pair.playBackwards(),
      k: () => pair.pause(),
      l: () => pair.forward(),
      Home: () => pair.seek(0),
      End: () => pair.toEnd(),
      "+": () => charts && charts.zoom(2),
      "-": () => charts && charts.zoom(0.5),
      0: () => charts && charts.setRange(null),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.key === " " && typesOnButton)) return;
    event.preventDefault();
    if (event.key === " " && at.blur && at !== document.body) at.blur();
    act();
  }

  async function load() {
    document.getElementById("theme").append(themeButton());
    const swap = document.getElementById("swap");
    swap.href = `/compare?a=${encodeURIComponent(names[1] || "")}&b=${encodeURIComponent(names[0] || "")}`;
    if (names.some((name) => name === null)) {
      complain("Choose two runs in the list of results to compare them.");
      return;
    }
    try {
      build(await Promise.all(names.map((name) => ask(`/api/report/${encoded(name)}`))));
      document.addEventListener("keydown", onKey);
    } catch (error) {
      complain(error.message);
    }
  }

  load();
})();
