// Part 5: gradient descent, live.

import { ask } from "../api.js";
import { Curve, Outputs } from "../charts.js";
import { button, choice, fixed, h, percent, plain, slider } from "../dom.js";
import { imageField } from "../drawing.js";
import { refresh, model, restart } from "../model.js";
import { keep, on, record, state } from "../state.js";
import { T } from "../strings.js";
import { map } from "./map.js";

const MILLISECONDS = 25; // of training per request
const KEPT = 1500; // points per curve; above that, every second point is dropped

export function mount(section) {
  section.append(h("p", { class: "prose", text: T.descend.intro }));
  const run = { going: false, seed: 1, costs: [], accuracies: [], examples: 0, fresh: false };
  const start = button(T.descend.start, () => (run.going ? pause() : go()), { class: "primary start" });
  const single = button(T.descend.single, () => !run.going && once({ steps: 1 }), { class: "single" });
  const batch = choice(T.descend.batch, [[1, T.descend.batches[1]], [10, T.descend.batches[10]], [100, T.descend.batches[100]], [0, T.descend.batches[0]]], state.batch, (next) => {
    state.batch = next;
    keep();
  });
  const rate = slider(T.descend.rate, { min: -2, max: 1.5, step: 0.05, value: Math.log10(state.trainRate), shown: (value) => plain(10 ** value), oninput: (value) => {
    state.trainRate = Number((10 ** value).toPrecision(4));
    keep();
  } });
  const fromNothing = button(T.descend.from, async () => {
    pause();
    clear();
    await restart("random", 1 + Math.floor(1000 * Math.random()));
  }, { class: "from-nothing" });
  section.append(h("div", { class: "row wide controls" }, batch, rate), h("div", { class: "row wide actions" }, start, single, fromNothing));
  const figures = numbers(section);
  const { cost, accuracy, outputs } = panels(section);
  map(section);

  function clear() {
    Object.assign(run, { costs: [], accuracies: [], examples: 0 });
    draw();
  }

  async function go() {
    Object.assign(run, { going: true, began: performance.now(), done: 0 });
    start.textContent = T.descend.pause;
    requestAnimationFrame(frame);
    while (run.going) if (!(await once({ milliseconds: MILLISECONDS }, true))) run.going = false;
    draw();
    start.textContent = T.descend.start;
    await refresh();
  }

  function pause() {
    run.going = false;
  }

  /** Train for one request. */
  async function once(length, live = false) {
    const before = performance.now();
    const answer = await ask("train", { batch: state.batch, rate: state.trainRate, seed: run.seed, image: imageField(state.image), ...length }, "descend");
    if (!answer) return false;
    record({ op: "train", batch: state.batch, rate: state.trainRate, steps: answer.done, seed: run.seed });
    run.examples += answer.examples;
    run.done = (run.done ?? 0) + answer.done;
    run.last = answer;
    model.steps = answer.steps;
    run.costs = thinned([...run.costs, [answer.steps, answer.cost]]);
    run.accuracies = thinned([...run.accuracies, [answer.steps, answer.accuracy]]);
    run.speed = live ? (1000 * run.done) / (performance.now() - run.began) : (1000 * answer.done) / (performance.now() - before);
    run.fresh = true;
    if (!live) {
      draw();
      await refresh();
    }
    return true;
  }

  function frame() {
    if (run.fresh) draw();
    run.fresh = false;
    if (run.going) requestAnimationFrame(frame);
  }

  function draw() {
    cost.show(run.costs);
    accuracy.show(run.accuracies);
    const { last } = run;
    if (last?.a && run.costs.length) outputs.show(last.a, null, state.target);
    figures.show(run);
  }

  on("look", () => !run.going && outputs.show(model.look.layers.at(-1).a, null, state.target));
  on("network", () => {
    if (!run.going && state.history.length === 0) clear();
    figures.show(run);
  });
  draw();
}

function thinned(points) {
  return points.length > KEPT ? points.filter((_, i) => i % 2 === 0 || i === points.length - 1) : points;
}

function numbers(section) {
  const cells = Object.fromEntries(["steps", "examples", "cost", "accuracy", "speed"].map((name) => [name, h("dd", { class: `value ${name}`, text: "–" })]));
  section.append(h("dl", { class: "gauges wide" }, Object.entries(cells).map(([name, cell]) => h("div", {}, h("dt", { text: T.descend[name] }), cell))));
  return {
    show({ last, examples, speed, costs }) {
      cells.steps.textContent = model.steps.toLocaleString("en");
      cells.examples.textContent = examples.toLocaleString("en");
      cells.cost.textContent = costs.length ? fixed(last.cost, 4) : "–";
      cells.accuracy.textContent = costs.length ? percent(last.accuracy) : percent(model.accuracy);
      cells.speed.textContent = costs.length ? Math.round(speed).toLocaleString("en") : "–";
    },
  };
}

function panels(section) {
  const left = h("div", { class: "panel" }, h("h3", { text: T.descend.curves }));
  const boxes = [h("div"), h("div")];
  left.append(...boxes);
  const right = h("div", { class: "panel" }, h("h3", { text: T.descend.outputs }));
  const figure = h("figure", { class: "wide two" }, left, right);
  section.append(figure);
  return {
    cost: new Curve(boxes[0], T.descend.cost, { height: 150, axis: T.descend.costAxis, shown: (value) => fixed(value, 4) }),
    accuracy: new Curve(boxes[1], T.descend.accuracy, { height: 150, high: 1, axis: T.descend.accuracyAxis, shown: percent }),
    outputs: new Outputs(right, T.descend.outputs, { key: (j) => `a ${model.sizes.length - 1} ${j}`, label: (j, _, a) => `${j}: ${a}` }),
  };
}
