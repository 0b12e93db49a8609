// What every neuron of a layer wants from the previous layer, one by one, and the sum that propagates backward.

import { button, calm, h, signed } from "../dom.js";
import { model } from "../model.js";
import { rove } from "../rove.js";
import { on } from "../state.js";
import { T } from "../strings.js";

const MOST = 16;
const CELL = { width: 30, height: 26 };

export function matrix(section) {
  let l = null; // the layer whose wishes are shown; null is the last
  let rows = Infinity; // rows added so far
  let timer = 0;
  const heading = h("h3");
  const intro = h("p", { class: "prose" });
  const box = h("div", { class: "scroll" });
  const count = h("span", { class: "value count", "aria-live": "polite" });
  const stepBack = button(T.wish.stepBack, () => turn());
  const controls = h("div", { class: "row" }, button(T.wish.addOne, () => (stop(), add(1)), { class: "primary add-one" }), button(T.wish.play, play), button(T.wish.addAll, () => (stop(), (rows = Infinity), redraw()), { class: "add-all" }), button(T.wish.none, () => (stop(), ((rows = 0), redraw()))), count, stepBack);
  section.append(heading, intro, h("figure", { class: "wide matrix" }, box, controls));
  const svg = d3.select(box).append("svg").attr("role", "group").attr("aria-label", T.wish.matrixName);
  const refocus = rove(svg.node(), ".spot");

  const size = () => model.wishes.layers[l - 1].wish_before.length;

  function add(n) {
    rows = (rows >= size() ? 0 : rows) + n;
    if (rows > size()) rows = size();
    redraw();
  }

  function play() {
    stop();
    if (rows >= size()) rows = 0;
    redraw();
    timer = setInterval(() => (add(1), rows >= size() && stop()), calm() ? 1200 : 450);
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
  }

  function turn() {
    stop();
    l = l > 2 ? l - 1 : model.sizes.length - 1;
    rows = Infinity;
    redraw();
  }

  function redraw() {
    const L = model.sizes.length - 1;
    const layer = model.wishes?.layers[(l ?? L) - 1];
    const possible = L > 1 && layer?.wish_before;
    for (const part of [heading, intro, controls.parentElement]) part.hidden = !possible;
    if (!possible) return;
    l = Math.min(l ?? L, L);
    const n = size();
    heading.textContent = T.wish.matrix(l, n);
    intro.textContent = T.wish.matrixIntro(l, n);
    count.textContent = T.wish.rows(Math.min(rows, n), n);
    stepBack.textContent = l > 2 ? T.wish.stepBack : T.wish.stepOn;
    stepBack.hidden = L < 3;
    draw(layer);
    refocus();
  }

  function draw(layer) {
    const shownRows = Math.min(MOST, layer.wish_before.length);
    const columns = Math.min(MOST, layer.wish_before_sum.length);
    const all = layer.wish_before;
    const sums = d3.range(columns).map((k) => d3.sum(all.slice(0, rows), (row) => row[k]));
    const most = d3.max(all, (row) => d3.max(row, Math.abs)) || 1;
    const mostSum = Math.max(most, d3.max(layer.wish_before_sum, Math.abs));
    const [width, height] = [44 + columns * CELL.width, 26 + (shownRows + 1) * CELL.height + 44];
    svg.attr("viewBox", `0 0 ${width} ${height}`).style("min-width", `${width * 0.72}px`).style("max-width", `${width * 1.6}px`);
    heads(columns, shownRows);
    const cells = d3.range(Math.min(rows, shownRows)).flatMap((j) => d3.range(columns).map((k) => ({ j, k, value: all[j][k], key: `wish_before ${l} ${j} ${k}` })));
    spots("each", cells, (d) => 30 + d.j * CELL.height, CELL.height, most);
    const ready = rows >= all.length;
    const total = d3.range(columns).map((k) => ({ k, value: sums[k], key: ready ? `wish_before_sum ${l} - ${k}` : null }));
    spots("total", total, () => 44 + shownRows * CELL.height, 54, mostSum);
    svg.selectAll(".rule").data([0]).join("line").attr("class", "rule").attr("x1", 36).attr("x2", width).attr("y1", 37 + shownRows * CELL.height).attr("y2", 37 + shownRows * CELL.height);
  }

  function heads(columns, shownRows) {
    svg.selectAll("text.k").data(d3.range(columns)).join("text").attr("class", "k caption").attr("text-anchor", "middle").attr("x", (k) => 44 + (k + 0.5) * CELL.width).attr("y", 14).text((k) => k);
    const names = [...d3.range(shownRows).map(String), T.wish.sum];
    svg.selectAll("text.j").data(names).join("text").attr("class", (d, j) => `j caption${j < rows || j === shownRows ? "" : " waiting"}`).attr("x", 30).attr("text-anchor", "end").attr("dy", "0.35em").attr("y", (_, j) => (j === shownRows ? 71 + shownRows * CELL.height : 43 + j * CELL.height)).text((d) => d);
  }

  function spots(kind, data, y, room, most) {
    const spot = svg
      .selectAll(`g.${kind}`)
      .data(data)
      .join((enter) => {
        const g = enter.append("g").attr("class", `spot ${kind}`).attr("role", "img");
        g.append("rect").attr("class", "touch").attr("width", CELL.width).attr("height", room);
        g.append("rect").attr("class", "bar").attr("x", 6).attr("width", CELL.width - 12);
        return g;
      })
      .attr("transform", (d) => `translate(${44 + d.k * CELL.width},${y(d)})`)
      .attr("data-f", (d) => d.key)
      .attr("aria-label", (d) => `${d.j ?? T.wish.sum}, ${d.k}: ${signed(d.value)}`);
    const reach = room / 2 - 2;
    spot.select(".bar").attr("class", (d) => `bar ${d.value >= 0 ? "up" : "down"}`);
    const length = (d) => Math.max(0.75, (Math.abs(d.value) / most) * reach);
    const bars = kind === "total" && !calm() ? spot.select(".bar").transition().duration(300) : spot.select(".bar");
    bars.attr("y", (d) => (d.value >= 0 ? room / 2 - length(d) : room / 2)).attr("height", length);
  }

  on("wishes theme", redraw);
}
