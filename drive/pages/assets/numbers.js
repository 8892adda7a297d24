// Numbers of a report: columns out of base64, subsampling for drawing, and how times are written.
// Knows no page. The other end of the columns is drive/pages/columns.py.
"use strict";

const DriveReport = (globalThis.DriveReport = globalThis.DriveReport || {});

(() => {
  const ARRAYS = {
    u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array,
    u32: Uint32Array, i32: Int32Array, f32: Float32Array, f64: Float64Array,
  };

  const TIME_SLACK_S = 1e-5; // a tick of the video's clock: both ends round

  /** The values of a column as a Float64Array; NaN where one is missing. */
  function readColumn(column) {
    const values = new Float64Array(column.n);
    if (column.type === "linear") {
      for (let i = 0; i < column.n; i++) values[i] = column.start + i * column.step;
      return values;
    }
    const text = atob(column.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const raw = new ARRAYS[column.type](bytes.buffer); // all that browsers run on is little-endian
    // A step of 0.0001 is better divided by 10000: 4.1 stays 4.1.
    const divisor = Math.round(1 / column.scale);
    const divides = column.scale < 1 && Math.abs(divisor * column.scale - 1) < 1e-9;
    for (let i = 0; i < column.n; i++) values[i] = divides ? raw[i] / divisor : raw[i] * column.scale;
    return values;
  }

  /** The first position whose value is not below `wanted`, in ascending values. */
  function lowerBound(values, wanted) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The position of the last value that is not above `time`; 0 before all. */
  function positionAt(times, time) {
    return Math.max(0, lowerBound(times, time + TIME_SLACK_S) - 1);
  }

  /**
   * Points [x, y] of a curve for `columns` columns of pixels: of each column the first, the lowest,
   * the highest and the last, so that no peak is lost. Gaps (NaN) stay gaps where they fill a
   * column or are beside one, and the curve breaks before each position of `gaps`. With few
   * points, all of them.
   */
  function thin(times, values, from, to, columns, gaps = []) {
    const begin = Math.max(0, lowerBound(times, from) - 1);
    const end = Math.min(times.length, lowerBound(times, to) + 1);
    const points = [];
    let start = begin;
    for (const stop of [...gaps.filter((gap) => gap > begin && gap < end), end]) {
      if (start > begin) points.push([times[start], NaN]);
      thinStretch(points, times, values, start, stop, Math.ceil((columns * (stop - start)) / (end - begin)));
      start = stop;
    }
    return points;
  }

  /** Add the points of a range without a gap in time. */
  function thinStretch(points, times, values, begin, end, columns) {
    const count = end - begin;
    if (count <= columns * 2) {
      for (let i = begin; i < end; i++) points.push([times[i], values[i]]);
      return;
    }
    for (let column = 0; column < columns; column++) {
      const start = begin + Math.floor((column * count) / columns);
      const stop = begin + Math.floor(((column + 1) * count) / columns);
      let low = -1, high = -1, first = -1, last = -1;
      for (let i = start; i < stop; i++) {
        const value = values[i];
        if (value !== value) continue;
        if (first < 0) first = low = high = i;
        if (value < values[low]) low = i;
        if (value > values[high]) high = i;
        last = i;
      }
      if (first < 0) {
        points.push([times[start], NaN]);
        continue;
      }
      const kept = [first, Math.min(low, high), Math.max(low, high), last];
      for (let k = 0; k < kept.length; k++) {
        if (k === 0 || kept[k] !== kept[k - 1]) points.push([times[kept[k]], values[kept[k]]]);
      }
    }
  }

  /** Lowest, mean and highest of the values from one position to another; null without any. */
  function summary(values, begin = 0, end = values.length) {
    let low = Infinity, high = -Infinity, sum = 0, count = 0;
    for (let i = begin; i < end; i++) {
      const value = values[i];
      if (value !== value) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      sum += value;
      count += 1;
    }
    return count ? { low, high, mean: sum / count, count } : null;
  }

  /** Seconds as 1:02:03.4, 2:03.4 or 0:03.4, with the given number of decimals. */
  function clock(seconds, digits = 1) {
    const scale = 10 ** digits;
    const whole = Math.round(Math.max(0, seconds) * scale);
    const rest = ((whole % (60 * scale)) / scale).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    const minutes = Math.floor(whole / scale / 60);
    if (minutes < 60) return `${minutes}:${rest}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  }

  /** How times of a video are written that begins `first` seconds into its source: as the source counts. */
  function sourceClock(first) {
    return (seconds, digits = 1) => clock(seconds + first, digits);
  }

  /** A number with its unit and a true minus; a dash where there is none. */
  function number(value, unit = "", digits = 2) {
    if (value === null || value === undefined || value !== value) return "–";
    const text = value.toFixed(digits);
    const plain = Number(text) === 0 ? text.replace("-", "") : text;
    return plain.replace("-", "−") + (unit && unit !== "°" ? " " : "") + unit;
  }

  function bytes(size) {
    if (size < 1000) return `${size} B`;
    if (size < 1e6) return `${(size / 1e3).toFixed(0)} kB`;
    return `${(size / 1e6).toFixed(1)} MB`;
  }

  Object.assign(DriveReport, {
    readColumn, lowerBound, positionAt, thin, summary, clock, sourceClock, number, bytes,
  });
})();
