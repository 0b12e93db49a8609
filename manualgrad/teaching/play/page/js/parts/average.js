// Part 4: what several examples want from one weight, and how sensitive the cost is to each weight.

import { ask, newest, wanted } from "../api.js";
import { Pair } from "../charts.js";
import { button, bytes, choice, chosen, formula, h, plain, signed, slider } from "../dom.js";
import { extras, forgetFormulas } from "../explain.js";
import { paintGrey } from "../look.js";
import { model } from "../model.js";
import { NetworkView, weightName } from "../network-view.js";
import { rove } from "../rove.js";
import { keep, on, state, tell } from "../state.js";
import { T } from "../strings.js";

const SHOWN = 12; // images shown at once

let found = null; // the last answer
let near = false; // whether the part has been near the window; no requests before that

export function mount(section) {
  section.append(h("p", { class: "prose", text: T.average.intro }));
  extras.mean_wish = extras.ratio = () => ({ examples: state.examples, ...found?.weight });
  const chooser = images(section);
  const weights = weightChooser(section);
  const showBars = bars(section);
  const showNudge = sensitivity(section);

  const renew = newest(async () => {
    if (!near || !model.network) return;
    const answer = await ask("average", { ...wanted(), examples: state.examples, weight: fitting(state.weight) }, "average");
    if (!answer) return;
    found = answer;
    weights.show(fitting(state.weight) ?? answer.weight); // another one may have been chosen meanwhile
    chooser.show();
    showBars(answer);
    showNudge(answer);
  });

  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near = true;
    seen.disconnect();
    chooser.begin();
    renew();
  }, { rootMargin: "600px" });
  seen.observe(section);
  on("settled examples", renew);
}

/** Return the weight if the current network has it, else null. */
function fitting(weight) {
  if (!weight) return null;
  const { l, j, k } = weight;
  const { sizes } = model;
  return l < sizes.length && j < sizes[l] && k < sizes[l - 1] ? weight : null;
}

function changed() {
  keep();
  forgetFormulas();
  tell("examples");
}

function images(section) {
  let digit = 2;
  let begin = 0;
  let of = 1000;
  const shelf = h("div", { class: "shelf", role: "group" });
  const count = h("span", { class: "count value", "aria-live": "polite" });
  const digits = choice(T.average.digit, d3.range(10).map((d) => [d, String(d)]), digit, (next) => {
    [digit, begin] = [next, 0];
    load();
  });
  digits.classList.add("digits");
  const load = async () => {
    const answer = await ask(`images?split=train&digit=${digit}&start=${begin}&count=${SHOWN}`);
    if (!answer) return;
    of = answer.of;
    shelf.setAttribute("aria-label", `${T.average.digit} ${digit}`);
    shelf.replaceChildren(...answer.images.map(thumb));
    mark();
  };
  const mark = () => {
    count.textContent = T.average.count(state.examples.length);
    for (const child of shelf.children) child.setAttribute("aria-pressed", String(state.examples.includes(Number(child.dataset.index))));
  };
  const random = async () => {
    const most = model.about?.train ?? 1000;
    const fresh = d3.range(10).map(() => Math.floor(most * Math.random()));
    state.examples = [...new Set([...state.examples, ...fresh])].slice(0, 200);
    changed();
  };
  const more = button(T.average.more, () => ((begin = begin + SHOWN < of ? begin + SHOWN : 0), load()));
  const clear = button(T.average.clear, () => ((state.examples = []), changed()));
  section.append(h("div", { class: "wide choose" }, h("div", { class: "row" }, digits, more), shelf, h("div", { class: "row" }, button(T.average.random, random, { class: "primary random" }), clear, count)));
  return { begin: load, show: mark };
}

function thumb({ index, label, pixels }) {
  const canvas = h("canvas", { class: "pixels" });
  paintGrey(canvas, Array.from(bytes(pixels), (value) => value / 255));
  const pressed = () => {
    state.examples = state.examples.includes(index) ? state.examples.filter((other) => other !== index) : [...state.examples, index].slice(0, 200);
    changed();
  };
  return h("button", { type: "button", class: "thumb", "data-index": index, "aria-label": T.average.add(label, index), onclick: pressed }, canvas);
}

/** Choose a weight by its line in a small network, or by its three indices. */
function weightChooser(section) {
  const box = h("div", { class: "network-box" });
  const [l, j, k] = [T.average.layer, T.average.to, T.average.from].map((name) => chosen(name, () => pick()));
  const pick = () => {
    const layer = Number(l.select.value);
    const weight = { l: layer, j: Math.min(Number(j.select.value), model.sizes[layer] - 1), k: Math.min(Number(k.select.value), model.sizes[layer - 1] - 1) };
    state.weight = weight;
    changed();
  };
  const most = button(T.average.most, () => ((state.weight = null), changed()));
  section.append(h("figure", { class: "wide" }, box, h("div", { class: "row" }, h("span", { class: "name", text: T.average.weight }), l.field, j.field, k.field, most, h("span", { class: "hint-line", text: T.average.orClick }))));
  const view = new NetworkView(box, {
    name: T.average.network,
    compact: true,
    onpick: (line) => {
      state.weight = { l: line.l, j: line.j, k: line.k };
      changed();
    },
  });
  on("network theme", () => view.renew());
  on("look", () => (view.redraw(), view.mark(found?.weight)));
  return {
    show(weight) {
      options(l.select, d3.range(1, model.sizes.length), weight.l);
      options(j.select, d3.range(model.sizes[weight.l]), weight.j);
      options(k.select, d3.range(model.sizes[weight.l - 1]), weight.k);
      view.mark(weight);
    },
  };
}

function options(select, values, value) {
  if (select.length !== values.length) select.replaceChildren(...values.map((v) => h("option", { value: v, text: v })));
  select.value = value;
}

function bars(section) {
  const heading = h("h3");
  const box = h("div", { class: "bars-box" });
  const says = h("p", { class: "agree" });
  section.append(heading, h("figure", { class: "wide panel" }, box, h("figcaption", {}, says)));
  const svg = d3.select(box).append("svg").attr("class", "wishes").attr("role", "group");
  const refocus = rove(svg.node(), ".spot");
  const mean = svg.append("g").attr("class", "spot mean").attr("role", "img").attr("data-f", "mean_wish");
  mean.append("line");
  mean.append("text").attr("class", "value");
  return ({ wishes, mean: average, weight }) => {
    heading.replaceChildren(...formula(T.average.bars(weightName(weight))));
    svg.attr("aria-label", T.average.bars(weightName(weight)));
    const [width, height] = [box.clientWidth || 600, 210];
    const most = d3.max([...wishes.map((d) => d.wish), average], Math.abs) || 1;
    const x = d3.scaleBand(d3.range(wishes.length), [40, width - 92]).paddingInner(0.25).paddingOuter(0.1);
    const middle = height / 2;
    svg.attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
    svg.selectAll(".zero").data([0]).join("line").attr("class", "zero").attr("x1", 0).attr("x2", width).attr("y1", middle).attr("y2", middle);
    const spot = svg.selectAll("g.example").data(wishes).join((enter) => {
      const g = enter.append("g").attr("class", "spot example").attr("role", "img");
      g.append("rect").attr("class", "touch").attr("height", height);
      g.append("rect").attr("class", "bar");
      g.append("text").attr("class", "caption").attr("text-anchor", "middle");
      return g;
    });
    const wide = Math.min(x.bandwidth(), 46);
    spot.attr("transform", (d, i) => `translate(${x(i) + (x.bandwidth() - wide) / 2},0)`)
      .attr("data-f", (d) => (d.index === null ? `wish_W ${weight.l} ${weight.j} ${weight.k}` : "mean_wish"))
      .attr("aria-label", (d) => T.average.bar(d.index === null ? T.average.drawing : T.average.image(d.index, d.label), signed(d.wish)));
    spot.select(".touch").attr("width", Math.max(wide, 1));
    const length = (d) => Math.max(0.75, (Math.abs(d.wish) / most) * (middle - 26));
    spot.select(".bar")
      .attr("class", (d) => `bar ${d.wish >= 0 ? "up" : "down"} ${d.wish * average >= 0 ? "agrees" : "differs"}`)
      .attr("width", wide).attr("height", length)
      .attr("y", (d) => (d.wish >= 0 ? middle - length(d) : middle));
    spot.select("text").attr("x", wide / 2).attr("y", (d) => (d.wish >= 0 ? middle + 16 : middle - 7)).text((d) => (wide < 9 ? "" : d.index === null ? `✎` : d.label));
    const y = middle - (average / most) * (middle - 26);
    mean.raise().attr("aria-label", `${T.average.mean}: ${signed(average)}`);
    mean.select("line").attr("x1", 36).attr("x2", width - 84).transition().duration(250).attr("y1", y).attr("y2", y);
    mean.select("text").attr("x", width - 80).attr("y", Math.max(14, Math.min(height - 6, y))).attr("dy", "0.35em").text(signed(average));
    const agree = wishes.filter((d) => d.wish * average >= 0).length;
    says.textContent = T.average.agree(agree, wishes.length);
    refocus();
  };
}

function sensitivity(section) {
  const says = h("p", { class: "prose", "data-f": "ratio", tabindex: 0 });
  const table = h("div", { class: "panel ranks" }, h("h3", { text: T.average.sensitive }));
  const list = h("ol", {});
  table.append(list);
  const nudge = h("div", { class: "panel" }, h("h3", { text: T.average.nudge }), h("p", { text: T.average.nudgeSays }));
  let which = "chosen";
  let epsilon = 0.01;
  let answer = null;
  const tried = choice(T.average.nudgeOf, [["chosen", T.average.chosen], ["largest", T.average.largest], ["small", T.average.small]], which, (next) => {
    which = next;
    measure();
  });
  const by = slider("ε", { min: -1, max: 1, step: 0.01, value: epsilon, shown: (value) => signed(value, 2), oninput: (value) => {
    epsilon = value;
    measure();
  } });
  nudge.append(tried, by);
  const pair = new Pair(nudge, [{ name: T.average.predicted, says: "ε ∂C/∂W", key: "nudge" }, { name: T.average.measured, says: "ΔC" }]);
  section.append(says, h("figure", { class: "wide two" }, table, nudge));
  const measure = newest(async () => {
    if (!answer) return;
    const weight = which === "chosen" ? answer.weight : answer.gradient[which].weight;
    extras.nudge = () => ({ examples: state.examples, epsilon, ...weight });
    const result = await ask("nudge", { ...wanted(), examples: state.examples, weight, epsilon }, "average");
    if (result) pair.show(result.predicted, result.measured);
  });
  return (next) => {
    answer = next;
    const ratio = next.gradient.ratio === null ? "–" : plain(next.gradient.ratio);
    says.textContent = T.average.sensitiveSays(ratio);
    const most = Math.abs(next.gradient.largest.derivative) || 1;
    const compared = [next.gradient.largest, next.gradient.small].map(({ weight }) => weightName(weight));
    list.replaceChildren(...next.nudges.map(({ rank, weight, derivative }) => rankRow(rank, weight, derivative, most, compared)));
    measure();
  };
}

function rankRow(rank, weight, derivative, most, compared) {
  const bar = h("i", { class: derivative >= 0 ? "up" : "down" });
  bar.style.width = `${Math.max(0.4, (100 * Math.abs(derivative)) / most)}%`;
  return h("li", { class: compared.includes(weightName(weight)) ? "compared" : null }, h("span", { class: "rank", text: `${rank}.` }), h("span", { class: "name" }, formula(weightName(weight))), h("span", { class: "track" }, bar), h("span", { class: "value", text: signed(derivative) }));
}
