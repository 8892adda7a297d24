// Two screens on one clock: played, paused and sought together, and kept in step.
// Second 0 of the clock is where the earlier of the two begins. Knows videos and images, no runs.
"use strict";

(() => {
  const { element, icon, lowerBound, positionAt, Seeker } = DriveReport;

  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  const SEEK_S = 0.3; // further apart than this, the other video is sought anew
  const CLOSE_S = 0.012; // nearer than this, nothing is done: less than half a frame
  const PULL = 0.8; // share of the distance that is made up for in a second
  const MOST_PULL = 0.15; // as a share of the speed: more could be seen
  const INTO_FRAME = 0.3; // share of a frame's length: a seek to its very edge may show the one before
  const EDGE_S = 0.001; // beyond an edge, browsers agree on the frame
  const BACKWARDS_MS = 120;
  const READY = 3; // HTMLMediaElement.HAVE_FUTURE_DATA
  const SCRUB_STEPS = 10000;

  /** One side: a video, a row of images, or only a clock. */
  class Screen {
    /** @param recording read by DriveReport.readRecording. @param delay seconds on the pair's clock at its 0. */
    constructor(recording, base, delay, label) {
      this.recording = recording;
      this.delay = delay;
      this.times = recording.times;
      this.root = element("div", { class: "screen" });
      this.video = null;
      if (recording.video) this._openVideo(base, label);
      else if (recording.images) this._openImages(base, label);
      else this._say("This run has no video. Its charts are below.");
    }

    get duration() {
      const own = this.video && this.video.duration;
      return Number.isFinite(own) && own > 0 ? own : this.recording.duration || this.times.length;
    }

    get end() { return this.delay + this.duration; }

    /** Where it should be at a time of the pair's clock; not on a frame's very edge. */
    local(time) {
      const local = Math.max(0, Math.min(this.duration, time - this.delay));
      return this.times.length ? Math.max(local, this.times[positionAt(this.times, local)] + EDGE_S) : local;
    }

    runsAt(time) { return time >= this.delay && time < this.end - 0.02; }

    show(time) {
      const local = this.local(time);
      if (this.video) this.seeker.seek(local);
      if (this.image) {
        const src = this.base + this.recording.images[Math.min(this.recording.images.length - 1, positionAt(this.times, local))];
        if (this.image.getAttribute("src") !== src) this.image.src = src;
      }
    }

    _say(text) {
      this.root.classList.add("empty");
      this.root.append(element("p", {}, text));
    }

    _openVideo(base, label) {
      const { src, width, height } = this.recording.video;
      this.video = element("video", {
        src: base + src, preload: "auto", playsinline: "", tabindex: "-1", width, height, "aria-label": label,
      });
      this.seeker = new Seeker(this.video);
      this.video.muted = true; // two audio tracks at once help nobody
      this.root.style.setProperty("--ratio", `${width} / ${height}`);
      this.video.addEventListener("error", () => {
        this.video.remove();
        this.video = null;
        this._say("This video was moved, or the browser cannot play it.");
      });
      this.root.append(this.video);
    }

    _openImages(base, label) {
      this.base = base;
      this.image = element("img", { alt: label, src: base + this.recording.images[0] });
      this.root.append(this.image);
    }

    destroy() {
      if (!this.video) return;
      this.video.pause();
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  class Pair {
    /** @param screens the two `Screen`s. @param clock how a time of theirs is written. */
    constructor(screens, clock) {
      this.clock = clock;
      this.screens = screens;
      this.playing = false;
      this.held = false;
      this.speed = 1;
      this.backwards = 0;
      this._time = 0;
      this._heard = [];
      this.controls = this._controls();
      this._tick = this._tick.bind(this);
      this._frame = requestAnimationFrame(this._tick);
      for (const screen of screens) {
        screen.root.addEventListener("click", () => this.toggle());
        if (screen.video) screen.video.addEventListener("loadedmetadata", () => this._shown());
      }
      this._shown();
    }

    get time() { return this._time; }
    get duration() { return Math.max(...this.screens.map((screen) => screen.end)); }

    /** Seconds by which the second video is ahead of the first; NaN where not both run. */
    get drift() {
      const [a, b] = this.screens;
      if (!a.video || !b.video || !a.runsAt(this._time) || !b.runsAt(this._time)) return NaN;
      return (b.video.currentTime + b.delay) - (a.video.currentTime + a.delay);
    }

    /** Call for each new time. */
    onTime(heard) { this._heard.push(heard); }

    seek(time) {
      this._time = Math.max(0, Math.min(time, this.duration));
      for (const screen of this.screens) screen.show(this._time);
      this._shown();
    }

    /** Go to the next frame (or an earlier one) of the side that leads. */
    step(frames) {
      this.pause();
      const lead = this.screens.find((screen) => screen.runsAt(this._time)) || this.screens[0];
      const { times } = lead;
      const at = Math.max(0, Math.min(times.length - 1, positionAt(times, this._time - lead.delay) + frames));
      this._seekFrame(lead, at);
    }

    _seekFrame(screen, at) {
      const next = at + 1 < screen.times.length ? screen.times[at + 1] : screen.duration;
      this.seek(screen.times[at] + INTO_FRAME * Math.max(0, next - screen.times[at]) + screen.delay);
    }

    toEnd() {
      const last = this.screens.reduce((a, b) => (b.end > a.end ? b : a));
      this.pause();
      this._seekFrame(last, last.times.length - 1);
    }

    play() {
      this._stopBackwards();
      if (this._time >= this.duration - 0.03) this.seek(0);
      this.playing = true;
      this.held = false;
      this._last = performance.now();
      this._drive();
      this._showPlaying();
    }

    pause() {
      const played = this.playing;
      this._stopBackwards();
      this.playing = false;
      for (const { video } of this.screens) if (video && !video.paused) video.pause();
      if (played) this._meet();
      this._showPlaying();
    }

    toggle() {
      if (this.playing || this.backwards) this.pause();
      else this.play();
    }

    playBackwards() {
      if (this.backwards) {
        this.setSpeed(Math.min(SPEEDS.at(-1), this.speed * 2));
        return;
      }
      this.pause();
      this.backwards = setInterval(() => {
        if (this.screens.some(({ video }) => video && video.seeking)) return;
        this.seek(this._time - (BACKWARDS_MS / 1000) * this.speed);
        if (this._time <= 0) this.pause();
      }, BACKWARDS_MS);
      this._showPlaying();
    }

    forward() {
      if (this.playing) this.setSpeed(Math.min(SPEEDS.at(-1), this.speed * 2));
      else this.play();
    }

    setSpeed(speed) {
      this.speed = speed;
      this.select.value = String(speed);
    }

    destroy() {
      cancelAnimationFrame(this._frame);
      this._stopBackwards();
      for (const screen of this.screens) screen.destroy();
    }

    /** Once stopped, the second shows the very frame of the first. */
    _meet() {
      const lead = this._leading();
      if (!lead) return;
      this._time = lead.video.currentTime + lead.delay;
      for (const screen of this.screens) {
        if (screen !== lead && screen.video && Math.abs(screen.video.currentTime - screen.local(this._time)) > 1e-3) screen.show(this._time);
      }
      this._shown();
    }

    _leading() { return this.screens.find((screen) => screen.video && screen.runsAt(this._time)); }

    /** Let those run that are to run now, as fast as it takes to be in step with the first. */
    _drive() {
      const active = this.screens.filter((screen) => screen.video && screen.runsAt(this._time));
      const waiting = active.some(({ video }) => video.readyState < READY || video.seeking);
      this.held = waiting;
      const lead = active[0];
      for (const screen of this.screens) {
        const { video } = screen;
        if (!video) continue;
        if (!active.includes(screen)) {
          if (!video.paused) video.pause();
          if (!video.seeking && Math.abs(video.currentTime - screen.local(this._time)) > 0.1) screen.show(this._time);
          continue;
        }
        if (waiting) {
          if (!video.paused) video.pause();
          continue;
        }
        let rate = this.speed;
        if (screen !== lead) {
          const ahead = video.currentTime - screen.local(this._time);
          if (Math.abs(ahead) > SEEK_S * Math.max(1, this.speed)) {
            screen.show(this._time);
            continue;
          }
          if (Math.abs(ahead) > CLOSE_S) rate *= 1 - Math.max(-MOST_PULL, Math.min(MOST_PULL, ahead * PULL * 2));
        }
        if (Math.abs(video.playbackRate - rate) > 1e-3) video.playbackRate = rate;
        if (video.paused) {
          const begun = video.play();
          if (begun) begun.catch(() => {});
        }
      }
    }

    _tick(now) {
      this._frame = requestAnimationFrame(this._tick);
      if (!this.playing) return;
      const lead = this._leading();
      const passed = ((now - this._last) / 1000) * this.speed;
      this._last = now;
      if (lead) {
        if (!lead.video.seeking) this._time = lead.video.currentTime + lead.delay;
        if (lead.video.ended) this._time = Math.max(this._time, lead.end);
      } else if (!this.held) this._time += passed;
      for (const screen of this.screens) if (screen.image) screen.show(this._time);
      if (this._time >= this.duration - 0.025) {
        this._time = this.duration;
        this.playing = false;
        for (const { video } of this.screens) if (video && !video.paused) video.pause();
        this._showPlaying();
      } else this._drive();
      this._shown();
    }

    _controls() {
      const button = (name, title, act) => {
        const made = element("button", { title, "aria-label": title }, icon(name));
        made.addEventListener("click", act);
        return made;
      };
      this.playButton = button("play", "Play or pause both (space)", () => this.toggle());
      this.playButton.classList.add("play");
      this.timeText = element("span", { class: "time" });
      this.stepText = element("span", { class: "step soft", title: "Offset between the two videos" });
      this.scrub = element("input", { type: "range", min: "0", max: String(SCRUB_STEPS), step: "1", value: "0", "aria-label": "Time in both videos" });
      this.scrub.addEventListener("input", () => {
        const share = Number(this.scrub.value) / SCRUB_STEPS; // before pause() shows the old time
        this.pause();
        this.seek(share * this.duration);
      });
      this.select = element("select", { "aria-label": "Speed", title: "Speed" }, ...SPEEDS.map((speed) => element("option", { value: String(speed) }, `${speed}×`)));
      this.select.value = "1";
      this.select.addEventListener("change", () => this.setSpeed(Number(this.select.value)));
      return element("div", { class: "controls" }, this.playButton,
        button("back", "One frame back (left arrow)", () => this.step(-1)),
        button("on", "One frame forward (right arrow)", () => this.step(1)),
        this.timeText, this.scrub, this.stepText, this.select);
    }

    _showPlaying() {
      const running = this.playing || this.backwards;
      this.playButton.replaceChildren(icon(running ? "pause" : "play"));
      this.playButton.setAttribute("aria-label", running ? "Pause both" : "Play both");
      this._shown();
    }

    _stopBackwards() {
      clearInterval(this.backwards);
      this.backwards = 0;
    }

    _shown() {
      this.timeText.textContent = `${this.clock(this._time, 2)} / ${this.clock(this.duration, 1)}`;
      const share = this.duration ? this._time / this.duration : 0;
      if (document.activeElement !== this.scrub || this.playing) this.scrub.value = String(Math.round(share * SCRUB_STEPS));
      this.scrub.setAttribute("aria-valuetext", this.clock(this._time, 1));
      const drift = this.drift;
      this.stepText.textContent = drift !== drift ? "" : Math.abs(drift) < 0.0305 ? "in step" : `${Math.abs(Math.round(drift * 1000))} ms apart`;
      for (const heard of this._heard) heard(this._time);
    }
  }

  Object.assign(DriveView, { Pair, Screen, lowerBound });
})();
