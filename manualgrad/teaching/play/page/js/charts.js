// Small charts shared by several parts. Elements with a formula have data-f and are reachable by keyboard.

import { fixed, h, plain, signed } from "./dom.js";
import { grey } from "./look.js";
import { rove } from "./rove.js";

/** Draw a bar up or down from `middle`, at most `room` pixels long, and at least a hairline. */
export function upright(bar, value, most, middle, room) {
  const length = most ? Math.max(0.75, (Math.abs(value) / most) * room) : 0.75;
  return bar
    .attr("class", value >= 0 ? "up" : "down")
    .attr("y", value >= 0 ? middle - length : middle)
    .attr("height", length);
}

/** Columns of wishes; above each, its source: an activation as a circle, or a weight as a bar. */
export class Avenue {
  constructor(box, name, source) {
    this.source = source; // "circle", "bar" or null
    this.svg = d3.select(box).append("svg").attr("class", "avenue").attr("role", "group").attr("aria-label", name);
    this.refocus = rove(this.svg.node(), ".spot");
  }

  /** Draw columns [{from, fromKey, wish, key, text}], scaled by the largest wish, `most`, and the largest source, `mostFrom`. */
  show(columns, most, mostFrom) {
    const step = columns.length === 1 ? 44 : 20;
    const width = Math.max(44, columns.length * step);
    const top = this.source ? 46 : 0;
    const height = top + 112;
    const middle = top + 54;
    this.svg.attr("viewBox", `0 0 ${width} ${height}`).style("max-width", `${width * 1.25}px`);
    this.svg.selectAll(".zero").data([0]).join("line").attr("class", "zero").attr("x1", 0).attr("x2", width).attr("y1", middle).attr("y2", middle);
    const column = this.svg
      .selectAll("g.column")
      .data(columns)
      .join((enter) => {
        const g = enter.append("g").attr("class", "column");
        const wish = g.append("g").attr("class", "spot of-wish").attr("role", "img");
        wish.append("rect").attr("class", "touch").attr("y", top).attr("height", 108);
        wish.append("rect").attr("class", "bar");
        if (this.source) {
          const from = g.append("g").attr("class", "spot of-source").attr("role", "img");
          from.append("rect").attr("class", "touch").attr("y", 0).attr("height", 40);
          from.append(this.source === "circle" ? "circle" : "rect").attr("class", "source");
        }
        return g;
      })
      .attr("transform", (d, i) => `translate(${i * step},0)`);
    column.selectAll(".touch").attr("width", step);
    column.select(".of-wish").attr("data-f", (d) => d.key).attr("aria-label", (d) => d.text);
    column.select(".bar").attr("x", step / 2 - 6).attr("width", 12).each((d, i, all) => upright(d3.select(all[i]), d.wish, most, middle, 52).classed("bar", true));
    if (this.source) this.sources(column, step, mostFrom);
    this.refocus();
  }

  sources(column, step, most) {
    column.select(".of-source").attr("data-f", (d) => d.fromKey).attr("aria-label", (d) => d.fromText);
    if (this.source === "circle") {
      column.select(".source").attr("class", "source body").attr("cx", step / 2).attr("cy", 20).attr("r", 8).style("fill", (d) => grey(d.from, Math.max(1, most)));
    } else {
      column.select(".source").attr("x", step / 2 - 3).attr("width", 6).each((d, i, all) => upright(d3.select(all[i]), d.from, most, 20, 19).classed("source", true));
    }
  }
}

/** One row per output: the digit, a track from 0 to 1 with the old and the new value, and the number. */
export class Outputs {
  constructor(box, name, { key = null, label = (j, a) => `${j}: ${a}` } = {}) {
    Object.assign(this, { key, label });
    this.list = d3.select(box).append("ol").attr("class", "outputs").attr("aria-label", name);
    this.refocus = key ? rove(this.list.node(), "li") : () => {};
  }

  show(before, after = null, target = null) {
    this.list.classed("plain", !after);
    const now = after ?? before;
    const most = Math.max(1, d3.max(before), d3.max(now));
    const best = d3.maxIndex(now);
    const rows = this.list
      .selectAll("li")
      .data(now)
      .join((enter) => {
        const row = enter.append("li");
        row.append("span").attr("class", "digit");
        const track = row.append("span").attr("class", "track");
        for (const part of ["level", "target", "was", "now"]) track.append("i").attr("class", part);
        row.append("span").attr("class", "from");
        row.append("span").attr("class", "value");
        return row;
      })
      .classed("best", (_, j) => j === best)
      .classed("wanted", (_, j) => j === target)
      .attr("data-f", this.key && ((_, j) => this.key(j)));
    if (this.key) rows.attr("role", "listitem").attr("aria-label", (a, j) => this.label(j, fixed(before[j]), fixed(a)));
    rows.select(".digit").text((_, j) => j);
    rows.select(".value").text((a) => fixed(a));
    rows.select(".from").text((_, j) => (after ? fixed(before[j]) : ""));
    rows.select(".level").style("width", (a) => `${(100 * a) / most}%`);
    rows.select(".now").style("left", (a) => `${(100 * a) / most}%`);
    rows.select(".was").style("left", (_, j) => `${(100 * before[j]) / most}%`).style("display", after ? null : "none");
    rows.select(".target").style("left", `${100 / most}%`).style("display", (_, j) => (j === target ? null : "none"));
    this.refocus();
  }
}

/** Two numbers that should agree, as bars from a common zero line, with their formulas. */
export class Pair {
  constructor(box, rows) {
    this.rows = rows.map(({ name, says, key }) => {
      const bar = h("i", { class: "bar" });
      const value = h("span", { class: "value", text: "–" });
      const row = h("div", { class: "pair-row", "data-f": key, tabindex: key ? 0 : null, role: "group", "aria-label": name }, h("span", { class: "name" }, name, says ? h("small", { text: says }) : ""), h("span", { class: "track" }, bar), value);
      box.append(row);
      return { bar, value };
    });
  }

  show(...values) {
    const most = d3.max(values, (value) => Math.abs(value ?? 0)) || 1;
    values.forEach((value, i) => {
      const { bar, value: text } = this.rows[i];
      text.textContent = signed(value, 4);
      const part = (50 * Math.abs(value ?? 0)) / most;
      bar.className = `bar ${value >= 0 ? "up" : "down"}`;
      bar.style.width = `${part}%`;
      bar.style.left = value >= 0 ? "50%" : `${50 - part}%`;
    });
  }
}

/** A line through points; its label states the latest value. */
export class Curve {
  constructor(box, name, { height = 120, low = 0, high = null, shown = plain, axis = "" } = {}) {
    Object.assign(this, { height, low, high, shown });
    this.svg = d3.select(box).append("svg").attr("class", "curve").attr("role", "img").attr("aria-label", name);
    this.grid = this.svg.append("g").attr("class", "grid");
    this.path = this.svg.append("path");
    this.dot = this.svg.append("circle").attr("r", 3.5);
    this.svg.append("text").attr("class", "caption").attr("x", 0).attr("y", 11).text(axis);
    this.name = name;
    this.box = box;
  }

  show(points) {
    const width = this.box.clientWidth || 300;
    const { height, low } = this;
    const high = this.high ?? (d3.max(points, (point) => point[1]) || 1);
    const x = d3.scaleLinear(points.length > 1 ? [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 1)] : [0, 1], [34, width - 8]);
    const y = d3.scaleLinear([low, high], [height - 20, 20]);
    this.svg.attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
    this.axes(x, y, width);
    this.path.attr("d", d3.line((d) => x(d[0]), (d) => y(d[1]))(points));
    const last = points.at(-1);
    this.dot.style("display", last ? null : "none");
    if (last) this.dot.attr("cx", x(last[0])).attr("cy", y(last[1]));
    this.svg.attr("aria-label", last ? `${this.name}: ${this.shown(last[1])}` : this.name);
  }

  axes(x, y, width) {
    const rows = this.grid.selectAll("g.y").data(y.ticks(3)).join((enter) => {
      const g = enter.append("g").attr("class", "y");
      g.append("line");
      g.append("text").attr("x", 28).attr("dy", "0.35em").attr("text-anchor", "end");
      return g;
    }).attr("transform", (d) => `translate(0,${y(d)})`);
    rows.select("line").attr("x1", 34).attr("x2", width - 8);
    rows.select("text").text((d) => y.tickFormat(3)(d));
    const columns = this.grid.selectAll("g.x").data(x.ticks(Math.max(2, Math.min(5, width / 110))).filter(Number.isInteger)).join((enter) => {
      const g = enter.append("g").attr("class", "x");
      g.append("text").attr("text-anchor", "middle");
      return g;
    }).attr("transform", (d) => `translate(${x(d)},${this.height - 4})`);
    columns.select("text").text((d) => d3.format(d >= 10000 ? ".2s" : ",")(d));
  }
}
