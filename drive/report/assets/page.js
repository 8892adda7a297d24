// The page of a single run: mounts its report, and keeps that of a training fresh.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const report = mountReport(document.getElementById("report"), data);
  DriveReport.report = report;
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("report-shown")));
  if (!data.live) return;

  // A page opened from disk may load nothing but scripts: the training writes its data as one.
  let seen = false;
  globalThis.liveReport = (fresh) => {
    seen = true;
    report.update(fresh);
  };
  function load() {
    const script = document.createElement("script");
    script.src = `report-data.js?${Date.now()}`;
    script.onload = () => {
      script.remove();
      setTimeout(load, EVERY_MS);
    };
    script.onerror = () => {
      script.remove();
      if (seen) location.reload(); // the training is done, and the whole report is there
      else report.training.stopped();
    };
    document.head.append(script);
  }
  load();
})();
