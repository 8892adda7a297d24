// A table of any length: only the rows shown are elements of the page.
"use strict";

(() => {
  const { element } = DriveReport;

  const ROW_PX = 30;
  const TALLEST_PX = 8e6; // browsers give up somewhere above
  const EDGE_PX = 4; // of hidden columns that are not worth a hint
  const AROUND = 8; // rows above and below those shown

  class Table {
    /**
     * @param label what it is. @param columns [{title, width, number, text(row), value(row)}]:
     * `value` makes a column sortable, `link(row)` its cells links where it gives an address. @param count rows. @param onRow told the row that was chosen.
     */
    constructor({ label, columns, count, onRow }) {
      this.columns = columns;
      this.onRow = onRow;
      this.all = Uint32Array.from({ length: count }, (_, row) => row);
      this.rows = this.all;
      this.current = -1;
      this.sorted = { column: -1, falls: false };
      this.heads = columns.map((column, k) => this._head(column, k));
      this.body = element("div", { class: "rows", role: "rowgroup" });
      this.space = element("div", { class: "space" }, this.body);
      this.head = element("div", { class: "row head", role: "row" }, ...this.heads);
      this.scroll = element("div", { class: "scroll", tabindex: "0", role: "table", "aria-label": label },
        this.head, this.space);
      const wide = columns.map((column) => column.width || "1fr").join(" ");
      this.scroll.style.setProperty("--columns", wide);
      this.root = element("div", { class: "table" }, this.scroll);
      this.scroll.addEventListener("scroll", () => {
        this._hint();
        this.draw();
      }, { passive: true });
      this.body.addEventListener("click", (event) => {
        const line = event.target.closest(".row");
        if (line) this.onRow(Number(line.dataset.row));
      });
      this._resized = new ResizeObserver(() => {
        this._hint();
        this.draw();
      });
      this._resized.observe(this.scroll);
      this.show(this.all);
    }

    /** Show these rows, in this order. */
    show(rows) {
      this.rows = rows;
      this.scroll.setAttribute("aria-rowcount", String(rows.length + 1));
      this.height = Math.min(rows.length * ROW_PX, TALLEST_PX);
      this.space.style.height = `${this.height}px`;
      this.scroll.scrollTop = 0;
      this.draw(true);
    }

    /** Show the rows that pass, sorted as the head says. */
    filter(passes) {
      const rows = passes ? this.all.filter(passes) : this.all.slice();
      const { column, falls } = this.sorted;
      if (column >= 0) {
        const value = this.columns[column].value;
        rows.sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          const order = x < y ? -1 : x > y ? 1 : x === y ? 0 : x !== x ? 1 : -1;
          return falls ? -order : order;
        });
      }
      this.passes = passes;
      this.show(rows);
    }

    /** Whether all rows are shown, as they come. */
    get inOrder() {
      return !this.passes && this.sorted.column < 0;
    }

    /** Bring a row into sight, by its place among those shown. */
    scrollTo(place) {
      const view = this.scroll.clientHeight - ROW_PX;
      const whole = this.rows.length * ROW_PX;
      const top = (Math.max(0, place * ROW_PX - view / 3) / Math.max(1, whole)) * this.height;
      this.scroll.scrollTop = whole > this.height ? (place / this.rows.length) * this.height : top;
    }

    /** Mark the rows shown that belong to the current frame. */
    mark() {
      for (const line of this.body.children) line.classList.toggle("current", this._isCurrent(Number(line.dataset.row)));
    }

    _isCurrent(row) {
      return Boolean(this.isCurrent && this.isCurrent(row));
    }

    draw(anew = false) {
      const view = this.scroll.clientHeight || 400;
      const whole = this.rows.length * ROW_PX;
      const top = this.scroll.scrollTop;
      const most = Math.max(1, this.height - view);
      const first = whole > this.height
        ? Math.round((Math.min(top, most) / most) * (this.rows.length - Math.floor(view / ROW_PX)))
        : Math.floor(top / ROW_PX);
      const from = Math.max(0, first - AROUND);
      const to = Math.min(this.rows.length, first + Math.ceil(view / ROW_PX) + AROUND);
      if (!anew && from === this.from && to === this.to) return;
      this.from = from;
      this.to = to;
      const offset = whole > this.height ? top - (first - from) * ROW_PX : from * ROW_PX;
      this.body.style.transform = `translateY(${Math.max(0, offset)}px)`;
      const lines = [];
      for (let k = from; k < to; k++) lines.push(this._line(this.rows[k], k));
      this.body.replaceChildren(...lines);
    }

    destroy() {
      this._resized.disconnect();
      this.root.remove();
    }

    /** Show at the edge that there are more columns behind it. */
    _hint() {
      const { scrollLeft, clientWidth, scrollWidth } = this.scroll;
      this.root.classList.toggle("more", scrollLeft + clientWidth < scrollWidth - EDGE_PX);
    }

    _head(column, k) {
      const cell = element("div", { role: "columnheader", class: column.number ? "number" : null });
      if (!column.value) {
        cell.append(column.title);
        return cell;
      }
      const button = element("button", { title: `Sort by ${column.title}` }, column.title);
      button.addEventListener("click", () => {
        const same = this.sorted.column === k;
        this.sorted = { column: k, falls: same ? !this.sorted.falls : Boolean(column.falls) };
        this.heads.forEach((head, each) => {
          if (each === k) head.setAttribute("aria-sort", this.sorted.falls ? "descending" : "ascending");
          else head.removeAttribute("aria-sort");
        });
        this.filter(this.passes);
      });
      cell.append(button);
      return cell;
    }

    _line(row, k) {
      const line = element("div", { class: this._isCurrent(row) ? "row current" : "row", role: "row", "aria-rowindex": String(k + 2), "data-row": String(row) });
      for (const column of this.columns) {
        line.append(element("div", { role: "cell", class: column.number ? "number" : null }, content(column, row)));
      }
      return line;
    }
  }

  function content(column, row) {
    const text = column.text(row);
    const address = column.link ? column.link(row) : null;
    if (address) return element("a", { href: address }, text);
    return column.button ? element("button", {}, text) : text;
  }

  DriveReport.Table = Table;
})();
