// Drawing of a network: the image, the neurons as circles by brightness, the weights as lines by sign and size.

import { fixed, s, subscript, superscript } from "./dom.js";
import { grey, greyUrl, signedUrl } from "./look.js";
import { model } from "./model.js";
import { rove } from "./rove.js";
import { T } from "./strings.js";

const MOST = 16; // neurons drawn per hidden layer; all outputs are drawn
const PIXEL_LINES = 7; // per neuron of the first layer, from the pixels with the largest weights

/** The drawing of a network in `box`; a new width of the box triggers a new layout. */
export class NetworkView {
  constructor(box, { name, compact = false, onpick = null } = {}) {
    Object.assign(this, { box, compact, onpick, upTo: Infinity, downTo: Infinity, flow: null });
    this.svg = d3.select(box).append("svg").attr("class", "network").attr("role", "group").attr("aria-label", name);
    this.refocus = rove(this.svg.node(), ".neuron");
    this.width = 0;
    new ResizeObserver(() => this.layout()).observe(box);
    new IntersectionObserver(([entry]) => this.come(entry.isIntersecting), { rootMargin: "200px" }).observe(box);
    this.listen();
  }

  /** Compute all positions and rebuild the drawing. */
  layout() {
    const width = Math.round(this.box.clientWidth);
    if (!model.network || !width || (width === this.width && this.laidOut === String(model.sizes))) return;
    Object.assign(this, { width, laidOut: String(model.sizes) });
    const narrow = width < 560;
    this.height = this.compact ? (narrow ? 300 : 330) : narrow ? 400 : 452;
    this.image = narrow ? Math.min(112, width * 0.29) : this.compact ? 150 : 196;
    this.radius = narrow ? 7.5 : this.compact ? 7.5 : 10;
    this.right = narrow ? 68 : 104;
    const L = model.sizes.length - 1;
    this.counts = model.sizes.map((size, l) => (l === L ? size : Math.min(size, MOST)));
    this.x = d3.scalePoint(d3.range(1, L + 1), [this.image + (narrow ? 40 : 0.3 * (width - this.image)), width - this.right]);
    if (L === 1) this.x.range([width - this.right, width - this.right]).align(1);
    this.svg.attr("viewBox", `0 0 ${width} ${this.height}`).attr("width", width).attr("height", this.height);
    this.build(L, narrow);
    this.redraw();
  }

  at(l, j) {
    const n = this.counts[l];
    const room = this.height - 44;
    const gap = Math.min(room / n, this.compact ? 32 : 46);
    return [this.x(l), 24 + room / 2 + (j - (n - 1) / 2) * gap];
  }

  pixelAt(k) {
    const side = Math.sqrt(model.sizes[0]);
    const step = this.image / side;
    return [(k % side) * step + step / 2, this.height / 2 - this.image / 2 + Math.floor(k / side) * step + step / 2];
  }

  build(L, narrow) {
    this.svg.selectAll("*").remove();
    this.coloured = null;
    const top = this.height / 2 - this.image / 2;
    this.lines = this.svg.append("g").attr("class", "lines");
    this.picture = this.svg.append("image").attr("class", "pixels").attr("width", this.image).attr("height", this.image).attr("y", top);
    this.overlay = this.svg.append("image").attr("class", "pixels overlay").attr("width", this.image).attr("height", this.image).attr("y", top);
    this.svg.append("rect").attr("class", "frame").attr("width", this.image).attr("height", this.image).attr("y", top);
    this.caption(this.image / 2, top - 9, narrow ? T.network.inputShort : T.network.input);
    for (let l = 1; l <= L; l++) {
      const hidden = model.sizes[l] > this.counts[l] ? T.network.some(this.counts[l], model.sizes[l]) : T.network.layer(l, L, narrow);
      this.caption(this.x(l), 13, hidden);
    }
    const neurons = d3.range(1, L + 1).flatMap((l) => d3.range(this.counts[l]).map((j) => ({ l, j })));
    this.neurons = this.svg
      .append("g")
      .selectAll("g")
      .data(neurons)
      .join("g")
      .attr("class", (d) => `neuron layer-${d.l}`)
      .attr("role", "img")
      .attr("aria-label", (d) => T.network.neuron(d.l, d.j, T.network.unknown))
      .attr("data-f", (d) => `a ${d.l} ${d.j}`)
      .attr("transform", (d) => `translate(${this.at(d.l, d.j)})`);
    this.neurons.append("circle").attr("class", "touch").attr("r", this.radius + 5);
    this.neurons.append("circle").attr("class", "body").attr("r", this.radius);
    this.neurons.append("path").attr("class", "wish");
    this.outputs(L, narrow);
    this.weights(L);
    this.refocus();
  }

  caption(x, y, text) {
    const end = this.width - x < 60;
    this.svg.append("text").attr("class", "caption").attr("x", end ? this.width : x).attr("y", y).attr("text-anchor", end ? "end" : x < 60 ? "middle" : "middle").text(text);
  }

  outputs(L, narrow) {
    const outputs = this.neurons.filter((d) => d.l === L);
    outputs.append("text").attr("class", "digit").attr("x", this.radius + (narrow ? 8 : 12)).attr("dy", "0.36em").text((d) => d.j);
    outputs.append("text").attr("class", "value").attr("x", this.radius + (narrow ? 56 : 64)).attr("dy", "0.36em").attr("text-anchor", "end").text("0.00");
    if (narrow) return;
    outputs.append("rect").attr("class", "track").attr("x", this.radius + 32).attr("y", 10).attr("width", 50).attr("height", 3);
    outputs.append("rect").attr("class", "level").attr("x", this.radius + 32).attr("y", 10).attr("width", 0).attr("height", 3);
  }

  weights(L) {
    const { W } = model.network;
    const lines = [];
    for (let l = 1; l <= L; l++) {
      const most = d3.max(W[l - 1], (row) => d3.max(row, Math.abs)) || 1;
      for (let j = 0; j < this.counts[l]; j++) {
        const row = W[l - 1][j];
        const from = l === 1 ? strongest(row, PIXEL_LINES) : d3.range(this.counts[l - 1]);
        for (const k of from) lines.push({ l, j, k, W: row[k], size: Math.abs(row[k]) / most });
      }
    }
    lines.sort((p, q) => p.size - q.size);
    this.line = this.lines
      .selectAll("line")
      .data(lines)
      .join("line")
      .attr("data-f", (d) => `W ${d.l} ${d.j} ${d.k}`)
      .each((d, i, all) => {
        const [x1, y1] = d.l === 1 ? this.pixelAt(d.k) : this.at(d.l - 1, d.k);
        const [x2, y2] = this.at(d.l, d.j);
        for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) all[i].setAttribute(name, value.toFixed(1));
      });
  }

  /** Rebuild the drawing after a change of the weights. */
  renew() {
    this.laidOut = "";
    this.width = 0;
    this.layout();
  }

  /** Draw only near the viewport; a drawing further away is updated once it comes near. */
  come(near) {
    this.near = near;
    if (near && this.stale) this.redraw();
  }

  /** Show the activations up to layer `upTo`, and the wishes from layer `downTo` on. */
  redraw() {
    if (!this.neurons || !model.look) return;
    this.stale = !this.near;
    if (this.stale) return;
    const { x, layers } = model.look;
    const L = layers.length;
    const most = layers.map((layer) => Math.max(1, d3.max(layer.a)));
    this.picture.attr("href", greyUrl(x));
    this.neurons
      .attr("aria-label", (d) => T.network.neuron(d.l, d.j, fixed(layers[d.l - 1].a[d.j])))
      .classed("unlit", (d) => d.l > this.upTo)
      .select(".body")
      .style("fill", (d) => (d.l > this.upTo ? null : grey(layers[d.l - 1].a[d.j], most[d.l - 1])));
    const best = d3.maxIndex(layers[L - 1].a);
    const outputs = this.neurons.filter((d) => d.l === L);
    outputs.classed("best", (d) => d.j === best && this.upTo >= L && model.look.verdict !== "");
    outputs.select(".value").text((d) => (this.upTo < L ? "" : fixed(layers[L - 1].a[d.j])));
    outputs.select(".level").attr("width", (d) => (this.upTo < L ? 0 : (50 * layers[L - 1].a[d.j]) / most[L - 1]));
    const state = [this.upTo, this.downTo, this.flow?.l, this.flow?.way, this.downTo < Infinity && model.wishes];
    if (this.coloured && state.every((value, i) => value === this.coloured[i])) return; // for example while the user draws
    this.coloured = state;
    this.colour();
  }

  /** Colour the lines by their weights or, in layers that the backward pass has reached, by their wishes. */
  colour() {
    const wishes = this.downTo <= model.sizes.length - 1 ? model.wishes?.layers : null;
    const sizes = wishes?.map((layer) => d3.max(layer.wish_W, (row) => d3.max(row, Math.abs)) || 1);
    const value = (d) => (wishes && d.l >= this.downTo ? wishes[d.l - 1].wish_W[d.j][d.k] : d.W);
    const size = (d) => (wishes && d.l >= this.downTo ? Math.abs(value(d)) / sizes[d.l - 1] : d.size);
    this.line
      .attr("class", (d) => (value(d) >= 0 ? "up" : "down") + (this.flow && this.flow.l === d.l ? ` flow ${this.flow.way}` : ""))
      .attr("data-f", (d) => `${wishes && d.l >= this.downTo ? "wish_W" : "W"} ${d.l} ${d.j} ${d.k}`)
      .style("stroke-width", (d) => (0.5 + 2.6 * size(d)).toFixed(2))
      .style("stroke-opacity", (d) => (d.l > this.upTo + 1 ? 0.06 : 0.12 + (d.l === 1 ? 0.55 : 0.72) * size(d)).toFixed(2));
    this.rings(wishes);
  }

  /** Draw an arrow at each neuron that should be brighter or darker. */
  rings(wishes) {
    const most = wishes?.map((layer) => d3.max(layer.wish_a, Math.abs) || 1);
    this.neurons
      .select(".wish")
      .attr("class", (d) => `wish ${wishes && wishes[d.l - 1].wish_a[d.j] >= 0 ? "up" : "down"}`)
      .attr("d", (d) => (wishes && d.l >= this.downTo ? arrow(wishes[d.l - 1].wish_a[d.j] / most[d.l - 1], this.radius) : null));
    this.neurons.attr("data-f", (d) => `${wishes && d.l >= this.downTo ? "delta" : "a"} ${d.l} ${d.j}`);
  }

  /** Highlight the lines of the neuron under the pointer; in the first layer, show its weights over the image. */
  listen() {
    const node = this.svg.node();
    const focus = (event) => {
      const neuron = event.target.closest(".neuron");
      this.pick(dataOf(neuron ?? (event.type === "focusin" ? event.target.closest("line") : null)));
    };
    for (const kind of ["pointerover", "focusin"]) node.addEventListener(kind, focus);
    node.addEventListener("pointerleave", () => this.pick(null));
    node.addEventListener("focusout", () => this.pick(null));
    node.addEventListener("keydown", (event) => this.key(event));
    if (!this.onpick) return;
    node.addEventListener("click", (event) => {
      const picked = event.target.closest("line");
      if (picked) this.onpick(dataOf(picked));
    });
  }

  /** Keyboard: Enter moves to a neuron's first line and back, up and down move between its lines, space chooses one. */
  key(event) {
    const line = event.target.closest("line");
    const at = dataOf(line ?? event.target.closest(".neuron"));
    if (!at || !["Enter", " ", "ArrowUp", "ArrowDown"].includes(event.key) || (!line && event.key !== "Enter")) return;
    event.preventDefault();
    if (line && event.key === " ") this.onpick?.(at);
    else if (line && event.key === "Enter") this.neurons.filter((d) => d.l === at.l && d.j === at.j).node().focus();
    else {
      const lines = this.line.filter((d) => d.l === at.l && d.j === at.j).nodes().sort((p, q) => dataOf(p).k - dataOf(q).k);
      const next = line ? lines[(lines.indexOf(line) + (event.key === "ArrowDown" ? 1 : lines.length - 1)) % lines.length] : lines[0];
      const { l, j, k, W } = dataOf(next);
      d3.select(next).attr("tabindex", -1).attr("role", "img").attr("aria-label", T.network.line(l, j, k, fixed(W))).node().focus();
    }
  }

  pick(chosen) {
    if (!this.line) return;
    this.svg.classed("picking", Boolean(chosen));
    this.line.classed("of", (d) => chosen && d.l === chosen.l && d.j === chosen.j);
    const first = chosen?.l === 1;
    const weights = first && (this.downTo <= 1 && model.wishes ? model.wishes.layers[0].wish_W[chosen.j] : model.network.W[0][chosen.j]);
    this.overlay.attr("href", first ? signedUrl(weights) : null).style("display", first ? null : "none");
  }

  /** Draw the line of the chosen weight thick. */
  mark(weight) {
    this.line?.classed("marked", (d) => weight && d.l === weight.l && d.j === weight.j && d.k === weight.k);
  }
}

function dataOf(element) {
  return element ? d3.select(element).datum() : null;
}

function strongest(row, count) {
  return d3.range(row.length).sort((p, q) => Math.abs(row[q]) - Math.abs(row[p])).slice(0, count);
}

/** Return the path of an arrow beside a neuron, as long as its wish (from −1 to 1). */
function arrow(wish, radius) {
  const length = Math.abs(wish) * 13;
  if (length < 0.4) return null;
  const way = wish > 0 ? -1 : 1;
  const x = -radius - 6;
  const from = (-way * length) / 2;
  return `M${x} ${from}v${way * length}m-3 ${-way * 3}l3 ${way * 3}l3 ${-way * 3}`;
}

/** W⁽³⁾₂,₅ */
export function weightName({ l, j, k }) {
  return `W⁽${superscript(l)}⁾${subscript(j)},${subscript(k)}`;
}
