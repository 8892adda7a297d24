// The page of a single run: mounts its report, and keeps that of a run that goes on fresh.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const report = mountReport(document.getElementById("report"), data);
  DriveReport.report = report;
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("report-shown")));
  if (!data.live && !data.stopped) return; // one that was stopped may be resumed

  // A page opened from disk may load nothing but scripts: the run writes its data as one.
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
      if (seen) location.reload(); // the run is done, and the whole report is there
      else report.goesOn.lost();
    };
    document.head.append(script);
  }
  load();
})();
