// Part 3: grant the wishes, and compare the predicted with the measured change.

import { ask, newest, wanted } from "../api.js";
import { Curve, Outputs, Pair } from "../charts.js";
import { button, fixed, h, percent, plain, slider } from "../dom.js";
import { changed, model, restart, take } from "../model.js";
import { keep, on, record, state } from "../state.js";
import { T } from "../strings.js";

let shown = null; // the last step, tried or taken
let busy = false;

export function mount(section) {
  const rate = slider(T.step.rate, { min: -3, max: 2, step: 0.05, value: Math.log10(state.rate), shown: (value) => plain(10 ** value), oninput: (value) => {
    state.rate = Number((10 ** value).toPrecision(4));
    keep();
    preview();
  } });
  rate.classList.add("rate");
  const before = h("span", { class: "value before-cost" });
  const after = h("span", { class: "value after-cost" });
  const left = h("div", { class: "panel" }, h("h3", { text: T.step.outputs }));
  const outputs = new Outputs(left, T.step.outputs, { key: (j) => `a ${model.sizes.length - 1} ${j}`, label: T.step.output });
  left.append(h("p", { class: "caption two" }, h("span", { class: "key was", text: T.step.before }), h("span", { class: "key now", text: T.step.after })));
  const right = h("div", { class: "panel" }, h("h3", { text: T.step.cost }), h("p", { class: "big costs" }, before, h("span", { text: "→", "aria-hidden": "true" }), after));
  const pair = new Pair(right, [
    { name: T.step.foretold, says: T.step.foretoldSays, key: "foretold" },
    { name: T.step.happened, says: T.step.happenedSays, key: "cost" },
  ]);
  const says = h("p", { class: "step-says" });
  right.append(says);
  const undo = button(T.step.undo, back, { class: "undo" });
  const live = h("p", { class: "unseen", "aria-live": "polite" });
  const controls = h("div", { class: "row wide actions" }, rate, button(T.step.once, () => go(1), { class: "primary once" }), button(T.step.ten, () => go(10), { class: "ten" }), undo, button(T.step.reset, () => restart(state.start), { class: "reset" }));
  section.append(h("p", { class: "prose", text: T.step.intro }), controls, live, h("figure", { class: "wide two" }, left, right));
  const told = everything(section);

  function redraw() {
    undo.disabled = state.history.length === 0 || !model.undo;
    if (!shown) return;
    outputs.show(shown.before.a, shown.after.a, state.target);
    before.textContent = plain(shown.before.cost, 4);
    after.textContent = plain(shown.after.cost, 4);
    pair.show(shown.foretold, shown.happened);
    says.textContent = `${T.step.length(plain(shown.gradient_length))} ${verdict(shown)}`;
    told();
  }

  const preview = newest(async () => {
    const answer = await ask("step", { ...wanted(), rate: state.rate, times: 1, take: false }, "step");
    if (!answer || busy) return;
    shown = answer;
    redraw();
  });

  async function go(times) {
    if (busy) return;
    busy = true;
    const taken = { op: "step", image: state.image, target: state.target, rate: state.rate, times };
    const answer = await ask("step", { ...wanted(), rate: state.rate, times, take: true }, "step");
    busy = false;
    if (!answer) return;
    record(taken);
    take({ ...answer, undo: model.undo + 1 });
    await hold(answer);
    live.textContent = T.step.told(plain(answer.after.cost, 4), percent(model.accuracy));
  }

  /** Keep showing the step's result until another step is tried. */
  async function hold(answer) {
    shown = answer;
    held = true;
    redraw();
    await changed();
  }

  let held = false;

  async function back() {
    const answer = await ask("undo", {}, "step");
    if (!answer) return;
    state.history.pop();
    take(answer);
    await changed();
  }

  on("settled", () => {
    redraw();
    if (held) held = false;
    else preview();
  });
  on("network", told);
}

/** Say how well the derivatives predicted the change. */
function verdict({ foretold, happened }) {
  if (happened > 0) return T.step.rises;
  return Math.abs(happened - foretold) <= 0.1 * Math.abs(foretold) ? T.step.agrees : T.step.differs;
}

/** Show the effect on everything else: the test images. */
function everything(section) {
  const accuracy = h("p", { class: "big accuracy" });
  const steps = h("p", { class: "caption steps" });
  const left = h("div", { class: "panel" }, h("h3", { text: T.step.accuracy }), accuracy, steps);
  const curveBox = h("div");
  left.append(curveBox);
  const curve = new Curve(curveBox, T.step.line, { high: 1, shown: percent });
  const right = h("div", { class: "panel" }, h("h3", { text: T.step.shares }));
  const list = d3.select(right).append("ol").attr("class", "shares");
  const listens = h("p", { class: "prose" });
  section.append(listens, h("figure", { class: "wide two" }, left, right));
  return () => {
    listens.textContent = T.step.listens(state.target);
    if (model.accuracy === null) return;
    accuracy.textContent = percent(model.accuracy);
    steps.textContent = T.step.steps(model.steps);
    curve.show(model.accuracies.map(([, value], i) => [i, value]));
    const rows = list.selectAll("li").data(model.predictions).join((enter) => {
      const row = enter.append("li");
      const track = row.append("span").attr("class", "track");
      track.append("i");
      track.append("span").attr("class", "value");
      row.append("span").attr("class", "digit");
      return row;
    });
    rows.classed("wanted", (_, j) => j === state.target);
    rows.select(".digit").text((_, j) => j);
    rows.select(".value").text((share) => `${fixed(100 * share, 0)}%`);
    rows.select("i").style("height", (share) => `${100 * share}%`);
    rows.select(".value").style("bottom", (share) => `calc(${100 * share}% + 3px)`);
  };
}
