// Part 2: what the drawing wants, from the outputs back to the image.

import { Avenue } from "../charts.js";
import { button, choice, fixed, formula, h, plain, signed, superscript } from "../dom.js";
import { paintSigned } from "../look.js";
import { model, restart, settle } from "../model.js";
import { keep, on, state } from "../state.js";
import { T } from "../strings.js";
import { film } from "./film.js";
import { matrix } from "./matrix.js";

export function mount(section) {
  section.append(h("p", { class: "prose", text: T.wish.intro }), targets());
  cost(section);
  content(section);
  film(section);
  avenues(section);
  matrix(section);
  images(section);
}

function targets() {
  const field = choice(T.wish.target, d3.range(10).map((digit) => [digit, String(digit)]), state.target, (digit) => {
    state.output = state.target = digit;
    settle();
  });
  field.classList.add("digits", "wide");
  on("settled", () => field.show(state.target));
  return field;
}

/** Draw the ten outputs: the square (a − y)², the neuron, and its arrow. */
function cost(section) {
  const total = h("span", { class: "value", "data-f": "cost", tabindex: 0, role: "img" });
  const cells = d3.range(10).map((j) => {
    const cell = h("button", { type: "button", class: "cell", "data-f": `wish_a L ${j}`, onclick: () => choose(j) });
    const svg = d3.select(cell).append("svg").attr("viewBox", "0 0 72 132").attr("aria-hidden", "true");
    svg.append("rect").attr("class", "square");
    svg.append("line").attr("class", "zero").attr("x1", 8).attr("x2", 64).attr("y1", 98).attr("y2", 98);
    svg.append("path").attr("class", "arrow");
    cell.append(h("span", { class: "digit", text: j }), " ", h("span", { class: "value" }), " ", h("span", { class: "aim" }));
    return cell;
  });
  section.append(
    h("figure", { class: "wide cost" }, h("div", { class: "cells", role: "group", "aria-label": T.wish.outputs }, cells), h("figcaption", {}, h("p", { class: "total" }, h("span", {}, formula(`${T.wish.cost} C₀ =`)), total), h("p", { text: T.wish.square }))),
  );
  const redraw = () => {
    const { wishes } = model;
    if (!wishes) return;
    const last = wishes.layers.at(-1);
    const L = wishes.layers.length;
    total.textContent = plain(wishes.cost, 4);
    total.setAttribute("aria-label", `${T.wish.cost}: ${plain(wishes.cost, 4)}`);
    const most = Math.max(1, d3.max(last.a, (a, j) => Math.abs(a - wishes.y[j])));
    cells.forEach((cell, j) => one(cell, { j, L, a: last.a[j], y: wishes.y[j], wish: last.wish_a[j], most }));
  };
  on("wishes theme chosen", redraw);
}

function one(cell, { j, L, a, y, wish, most }) {
  const svg = d3.select(cell).select("svg");
  const side = (Math.abs(a - y) / most) * 58;
  svg.select(".square").attr("x", 36 - side / 2).attr("y", 60 - side).attr("width", side).attr("height", side);
  const length = (Math.abs(wish) / (2 * most)) * 32;
  const way = wish > 0 ? -1 : 1;
  const head = Math.min(6, length / 2);
  svg.select(".arrow").attr("class", `arrow ${wish > 0 ? "up" : "down"}`).attr("d", length < 0.3 ? null : `M36 98v${way * length}m${-head} ${-way * head}l${head} ${way * head}l${head} ${-way * head}`);
  cell.dataset.f = `wish_a ${L} ${j}`;
  cell.querySelector(".value").textContent = fixed(a);
  cell.querySelector(".aim").textContent = `→ ${y}`;
  cell.classList.toggle("wanted", y === 1);
  cell.setAttribute("aria-pressed", String(j === state.output));
  cell.setAttribute("aria-label", T.wish.output(j, fixed(a), y, wish > 0));
}

/** Return the indices of the 16 largest wishes, in order. */
function most16(wishes) {
  const order = d3.range(wishes.length).sort((p, q) => Math.abs(wishes[q]) - Math.abs(wishes[p]));
  return order.slice(0, 16).sort((p, q) => p - q);
}

function choose(j) {
  state.output = j;
  keep();
  redrawChosen();
}

let redrawChosen = () => {};

/** If the wishes are too small to see, offer a network with larger ones. */
function content(section) {
  const says = h("p", { class: "hint-line" });
  const swap = button(T.wish.untrained, () => restart(state.start === "random" ? "trained" : "random"));
  section.append(h("div", { class: "row wide content" }, says, swap));
  on("wishes", () => {
    says.textContent = model.wishes.cost < 0.05 ? T.wish.content : "";
    swap.textContent = state.start === "random" ? T.wish.trained : T.wish.untrained;
  });
}

function avenues(section) {
  const heading = h("h3");
  const intro = h("p", { class: "prose" });
  const cards = [
    ["bias", T.wish.bias, T.wish.biasSays, null],
    ["weights", T.wish.weights, T.wish.weightsSays, "circle"],
    ["before", T.wish.before, T.wish.beforeSays, "bar"],
  ].map(([kind, name, says, source]) => {
    const box = h("div", { class: "scroll" });
    const card = h("div", { class: `panel ${kind}` }, h("h4", { text: name }), h("p", { text: says }), box);
    return { card, chart: new Avenue(box, name, source) };
  });
  section.append(heading, intro, h("figure", { class: "wide avenues" }, cards.map(({ card }) => card)));
  const redraw = () => {
    const { wishes, network } = model;
    if (!wishes) return;
    const [j, L] = [state.output, wishes.layers.length];
    const last = wishes.layers[L - 1];
    heading.textContent = T.wish.avenues(j);
    intro.textContent = T.wish.avenuesIntro(j, last.wish_a[j] > 0);
    const before = L > 1 ? wishes.layers[L - 2].a : model.look.x;
    const shown = most16(last.wish_W[j]);
    const W = network.W[L - 1][j];
    const back = last.wish_before?.[j] ?? [];
    const most = d3.max([last.wish_b[j], ...shown.flatMap((k) => [last.wish_W[j][k], back[k] ?? 0])], Math.abs);
    cards[0].chart.show([{ wish: last.wish_b[j], key: `wish_b ${L} ${j}`, text: signed(last.wish_b[j]) }], most);
    cards[1].chart.show(shown.map((k) => ({ from: before[k], fromKey: L > 1 ? `a ${L - 1} ${k}` : `x - - ${k}`, fromText: `a${superscript(L - 1)} ${k}: ${fixed(before[k])}`, wish: last.wish_W[j][k], key: `wish_W ${L} ${j} ${k}`, text: `W ${j},${k}: ${signed(last.wish_W[j][k])}` })), most, d3.max(before));
    cards[2].card.hidden = L === 1; // the pixels are fixed
    cards[2].chart.show(shown.map((k) => ({ from: W[k], fromKey: `W ${L} ${j} ${k}`, fromText: `W ${j},${k} = ${fixed(W[k])}`, wish: back[k] ?? 0, key: `wish_before ${L} ${j} ${k}`, text: `a ${k}: ${signed(back[k] ?? 0)}` })), most, d3.max(W, Math.abs));
  };
  redrawChosen = () => {
    redraw();
    for (const cell of section.querySelectorAll(".cells .cell")) cell.setAttribute("aria-pressed", String(cell.querySelector(".digit").textContent === String(state.output)));
  };
  on("wishes theme", redraw);
}

/** Draw each neuron's wishes for its weights in the first layer as an image. */
function images(section) {
  let picked = null; // null: the neuron with the strongest wish
  const gallery = h("div", { class: "gallery" });
  const large = h("canvas", { class: "pixels large", role: "img" });
  const caption = h("figcaption");
  section.append(h("h3", { text: T.wish.first }), h("p", { class: "prose", text: T.wish.firstIntro }), h("div", { class: "wide firsts" }, gallery, h("figure", {}, large, caption)));
  const redraw = () => {
    const first = model.wishes?.layers[0];
    if (!first) return;
    const count = Math.min(16, first.wish_W.length);
    const most = d3.max(first.wish_W.slice(0, count), (row) => d3.max(row, Math.abs));
    const j = Math.min(picked ?? d3.maxIndex(first.wish_b.slice(0, count), Math.abs), count - 1);
    const paintLarge = () => {
      paintSigned(large, first.wish_W[j], most);
      large.setAttribute("aria-label", T.wish.firstPicked(j));
      caption.replaceChildren(h("span", { text: T.wish.firstPicked(j) }), h("span", { class: "value", text: `−δ = ${signed(first.wish_b[j])}`, "data-f": `delta 1 ${j}`, tabindex: 0, role: "img", "aria-label": `−δ = ${signed(first.wish_b[j])}` }));
    };
    if (gallery.childElementCount !== count) {
      gallery.replaceChildren(...d3.range(count).map((n) => h("button", { type: "button", "data-f": `wish_b 1 ${n}`, onclick: () => ((picked = n), redraw()) }, h("canvas", { class: "pixels" }), h("span", { text: n }))));
    }
    [...gallery.children].forEach((child, n) => {
      paintSigned(child.firstChild, first.wish_W[n], most);
      child.setAttribute("aria-label", T.wish.neuron(n, signed(first.wish_b[n])));
      child.setAttribute("aria-pressed", String(n === j));
    });
    paintLarge();
  };
  on("wishes theme", redraw);
}
