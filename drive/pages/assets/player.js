// The video of a recording with its controls; without a video, a clock that runs alike.
// Knows when frames are shown, not what they show.
"use strict";

(() => {
  const { element, icon, positionAt, Seeker } = DriveReport;

  const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
  const INTO_FRAME = 0.3; // share of a frame's length: a seek to its very edge may show the one before
  const BACKWARDS_MS = 100;

  class Player {
    /**
     * @param recording data of a recording as `readRecording` gives it: with `times` (seconds of each frame),
     * `index` and `clock`.
     * @param base put before the video's link.
     */
    constructor(recording, base = "") {
      this.times = recording.times;
      this.index = recording.index;
      this.recording = recording;
      this._heard = {};
      this._virtual = 0;
      this._playing = false;
      this._speed = 1;
      this._backwards = 0;
      this._wanted = null;
      this.video = null;
      this.root = element("section", { class: "player", "aria-label": "Video" });
      this.screen = element("div", { class: "screen" });
      this.root.append(this.screen);
      if (recording.video) this._openVideo(base + recording.video.src);
      else this._sayNoVideo("No video. Charts and tables use its timestamps.");
      this.root.append(this._controls());
      this._tick = this._tick.bind(this);
      this._frame = requestAnimationFrame(this._tick);
      this._shown();
    }

    get duration() {
      const own = this.video && this.video.duration;
      return Number.isFinite(own) && own > 0 ? own : this.recording.duration;
    }

    get time() {
      if (this._wanted !== null) return this._wanted;
      return this.video ? this.video.currentTime : this._virtual;
    }

    get paused() {
      return this.video ? this.video.paused && !this._backwards : !this._playing;
    }

    /** Position of the frame shown. */
    get position() {
      return positionAt(this.times, this.time);
    }

    /** Go to a time, in seconds of the video's clock. */
    seek(time) {
      const wanted = Math.max(0, Math.min(time, this.duration));
      if (this.video) {
        this._wanted = wanted; // until the video has arrived
        this.seeker.seek(wanted);
      } else this._virtual = wanted;
      this._shown();
    }

    /** Go to a frame by its position, a little way into the time that it is shown. */
    seekFrame(position) {
      const k = Math.max(0, Math.min(position, this.times.length - 1));
      const next = k + 1 < this.times.length ? this.times[k + 1] : this.duration;
      this.seek(this.times[k] + INTO_FRAME * Math.max(0, next - this.times[k]));
    }

    /** Go `frames` frames on, or back. */
    step(frames) {
      this.pause();
      this.seekFrame(this.position + frames);
    }

    play() {
      this._stopBackwards();
      if (this.time >= this.duration - 0.01) this.seek(0);
      if (this.video) {
        this.video.playbackRate = this._speed;
        const begun = this.video.play();
        if (begun) begun.catch(() => this._say("pause"));
      } else {
        this._playing = true;
        this._last = performance.now();
        this._say("play");
      }
    }

    pause() {
      this._stopBackwards();
      if (this.video) this.video.pause();
      else if (this._playing) {
        this._playing = false;
        this._say("pause");
      }
    }

    toggle() {
      if (this.paused) this.play();
      else this.pause();
    }

    /** Play backwards, as fast as the browser finds the frames. */
    playBackwards() {
      if (this._backwards) {
        this.speed = Math.min(SPEEDS.at(-1), this._speed * 2);
        return;
      }
      this.pause();
      this._backwards = setInterval(() => {
        if (this.video && this.video.seeking) return;
        this.seek(this.time - (BACKWARDS_MS / 1000) * this._speed);
        if (this.time <= 0) this.pause();
      }, BACKWARDS_MS);
      this._say("play");
    }

    set speed(value) {
      this._speed = value;
      if (this.video) this.video.playbackRate = value;
      this._speedSelect.value = String(value);
    }

    get speed() {
      return this._speed;
    }

    /** Faster where it plays already, else play. */
    forward() {
      if (!this.paused && !this._backwards) this.speed = Math.min(SPEEDS.at(-1), this._speed * 2);
      else this.play();
    }

    on(name, heard) {
      (this._heard[name] = this._heard[name] || []).push(heard);
    }

    destroy() {
      cancelAnimationFrame(this._frame);
      this._stopBackwards();
      if (this.video) {
        this.video.pause();
        this.video.removeAttribute("src");
        this.video.load();
      }
      this.root.remove();
    }

    _say(name, value) {
      for (const heard of this._heard[name] || []) heard(value);
      if (name === "play" || name === "pause") this._showPlaying();
    }

    _openVideo(src) {
      const { width, height } = this.recording.video;
      this.video = element("video", {
        src, preload: "auto", playsinline: "", tabindex: "-1", width, height,
        "aria-label": `Video of ${this.recording.name}`,
      });
      this.screen.style.setProperty("--ratio", `${width} / ${height}`);
      this.seeker = new Seeker(this.video);
      this.video.addEventListener("click", () => this.toggle());
      this.video.addEventListener("play", () => this._say("play"));
      this.video.addEventListener("pause", () => this._say("pause"));
      this.video.addEventListener("seeked", () => {
        if (!this.video.seeking) this._wanted = null;
        this._shown();
      });
      this.video.addEventListener("loadedmetadata", () => this._shown());
      this.video.addEventListener("error", () => {
        const time = this.time;
        this.video.remove();
        this.video = null;
        this._virtual = time;
        this._wanted = null;
        this._sayNoVideo(
          `${decodeURIComponent(this.recording.video.src)} was moved, or this browser ` +
          "cannot play it. Charts and tables work without it.");
        this._say("pause");
        this._say("blind");
      });
      this.screen.append(this.video);
    }

    _sayNoVideo(text) {
      this.screen.classList.add("empty");
      this.screen.append(element("p", {}, text));
    }

    _controls() {
      const bar = element("div", { class: "controls" });
      this._playButton = element("button", { class: "play", title: "Play or pause (space)" });
      this._playButton.addEventListener("click", () => this.toggle());
      const back = element("button", { title: "One frame back (left arrow)", "aria-label": "One frame back" }, icon("back"));
      back.addEventListener("click", () => this.step(-1));
      const on = element("button", { title: "One frame forward (right arrow)", "aria-label": "One frame forward" }, icon("on"));
      on.addEventListener("click", () => this.step(1));
      this._time = element("span", { class: "time" });
      this._frameText = element("span", { class: "frame" });
      this._speedSelect = element("select", { "aria-label": "Speed", title: "Speed" });
      for (const speed of SPEEDS) {
        this._speedSelect.append(element("option", { value: String(speed) }, `${speed}×`));
      }
      this._speedSelect.value = "1";
      this._speedSelect.addEventListener("change", () => { this.speed = Number(this._speedSelect.value); });
      bar.append(this._playButton, back, on, this._time, this._frameText,
        element("span", { class: "spring" }), this._speedSelect);
      if (this.video && this.root.requestFullscreen) {
        const full = element("button", { title: "Full screen (F)", "aria-label": "Full screen" }, icon("full"));
        full.addEventListener("click", () => this.fullScreen());
        bar.append(full);
      }
      this._showPlaying();
      return bar;
    }

    fullScreen() {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (this.root.requestFullscreen) this.root.requestFullscreen();
    }

    _showPlaying() {
      if (!this._playButton) return;
      const name = this.paused ? "play" : "pause";
      this._playButton.replaceChildren(icon(name));
      this._playButton.setAttribute("aria-label", this.paused ? "Play" : "Pause");
    }

    _stopBackwards() {
      if (!this._backwards) return;
      clearInterval(this._backwards);
      this._backwards = 0;
      this._say("pause");
    }

    _tick(now) {
      this._frame = requestAnimationFrame(this._tick);
      if (this._playing) {
        this._virtual += ((now - this._last) / 1000) * this._speed;
        this._last = now;
        if (this._virtual >= this.duration) {
          this._virtual = this.duration;
          this.pause();
        }
      }
      if (this.video && !this.video.paused && !this.video.seeking) this._wanted = null;
      if (this.time !== this._lastTime) this._shown();
    }

    _shown() {
      const time = (this._lastTime = this.time);
      if (this._time) {
        this._time.textContent = `${this.recording.clock(time, 2)} / ${this.recording.clock(this.duration, 1)}`;
        this._frameText.textContent = this.index.length ? `frame ${this.index[this.position]}` : "";
      }
      this._say("time", time);
    }
  }

  DriveReport.Player = Player;
})();
