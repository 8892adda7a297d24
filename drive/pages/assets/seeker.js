// Seeks of one video, one after another: the newest waits until the one before has arrived.
// A seek that overtakes another can leave Chromium (156, on a busy machine) seeking for ever.
"use strict";

(() => {
  class Seeker {
    constructor(video) {
      this.video = video;
      this._next = null;
      video.addEventListener("seeked", () => this._arrived());
    }

    /** Where the video is, or will be once it has arrived. */
    get time() { return this._next === null ? this.video.currentTime : this._next; }

    seek(time) {
      if (this.video.seeking) this._next = time;
      else this.video.currentTime = time;
    }

    _arrived() {
      const next = this._next;
      this._next = null;
      if (next !== null && next !== this.video.currentTime) this.video.currentTime = next;
    }
  }

  DriveReport.Seeker = Seeker;
})();
