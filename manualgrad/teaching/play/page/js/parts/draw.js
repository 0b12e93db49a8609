// Part 1: draw, and see what the network sees.

import { ask } from "../api.js";
import { button, bytes, calm, choice, h } from "../dom.js";
import { add, demo, GRID, trace } from "../drawing.js";
import { jsonButton } from "../json.js";
import { paintGrey } from "../look.js";
import { look, model, restart, settle } from "../model.js";
import { NetworkView } from "../network-view.js";
import { keep, on, state, tell } from "../state.js";
import { T } from "../strings.js";

const STEP = 6; // of the keyboard's pen, in grid units

let canvas;
let context;
let mnist = null; // a test image's pixels, if the canvas shows one
let pen = null; // the keyboard's: {x, y, down}
let settling = 0;
let handled = 0; // time of a drawn point whose answer is still pending

export function mount(section) {
  canvas = h("canvas", { class: "paper", tabindex: 0, role: "img", "aria-label": T.draw.canvas, width: 560, height: 560 });
  context = canvas.getContext("2d");
  const verdict = h("strong", { class: "verdict", text: T.draw.nothing });
  const live = h("p", { class: "unseen", "aria-live": "polite" });
  const done = h("p", { class: "done" });
  const box = h("div", { class: "network-box hero" });
  const which = choice(T.network.which, [["trained", T.network.starts.trained], ["random", T.network.starts.random]], state.start, (start) => restart(start));
  section.append(
    h(
      "div",
      { class: "hero-figure" },
      h(
        "div",
        { class: "desk" },
        h("div", { class: "paper-box" }, canvas, h("span", { class: "here", text: T.draw.here, "aria-hidden": "true" })),
        h("div", { class: "row" }, button(T.draw.clear, clear, { class: "clear" }), button(T.draw.test, () => sample(null), { class: "test-image" })),
        h("p", { class: "sees" }, h("span", { text: T.draw.sees }), verdict),
        done,
        live,
      ),
      box,
    ),
    h(
      "div",
      { class: "row wide under" },
      h("div", { class: "samples", role: "group", "aria-label": T.draw.samples }, h("span", { text: T.draw.samples }), d3.range(10).map((digit) => button(digit, () => sample(digit), { "aria-label": T.draw.sample(digit) }))),
      which,
      h("div", { class: "row spread" }, legend(), jsonButton("draw")),
    ),
    ...T.draw.prose.map((text) => h("p", { class: "prose", text })),
  );
  const view = new NetworkView(box, { name: T.network.name });
  on("network", () => view.renew());
  on("theme", () => view.renew());
  on("network", () => {
    which.show(state.start);
    if (model.about?.starts.includes("run") && !which.querySelector("[value=run]")) which.replaceWith(withRun(which));
  });
  on("look", () => {
    answer(view, verdict, done, live);
    if (handled) performance.measure("draw-to-answer", { start: handled, end: performance.now() });
    handled = 0;
  });
  listen();
  if (state.image.split) showSplit();
  else if (state.image.demo && !calm()) write();
  paint();
}

function withRun(which) {
  const all = choice(T.network.which, model.about.starts.map((start) => [start, T.network.starts[start]]), state.start, (start) => restart(start));
  which.show = all.show;
  return all;
}

function legend() {
  return h(
    "p",
    { class: "legend" },
    h("span", { class: "key up", text: T.legend.up }),
    h("span", { class: "key down", text: T.legend.down }),
    h("span", { class: "key ramp" }, T.legend.dark, h("i"), T.legend.bright, ` ${T.legend.text}`),
  );
}

let told = "";
let telling = 0;

function answer(view, verdict, done, live) {
  const { look: seen } = model;
  const text = seen.verdict || T.draw.nothing;
  verdict.textContent = text;
  verdict.classList.toggle("unsure", text.length > 1);
  done.textContent = seen.label === null || seen.label === undefined ? T.draw.done(seen.done) : T.draw.label(seen.label);
  view.redraw();
  told = T.draw.answer(seen.verdict);
  telling ||= setTimeout(() => {
    telling = 0;
    if (live.textContent !== told) live.textContent = told;
  }, 1000);
}

function paint() {
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (state.image.split) {
    if (mnist) context.drawImage(mnist, 0, 0, canvas.width, canvas.height);
  } else trace(context, state.image.strokes, canvas.width / GRID);
  canvas.parentElement.classList.toggle("empty", !state.image.split && state.image.strokes.length === 0);
  if (!pen) return;
  const scale = canvas.width / GRID;
  context.beginPath();
  context.arc(pen.x * scale, pen.y * scale, 10 * scale, 0, 2 * Math.PI);
  context.strokeStyle = "#6ea8ff";
  context.lineWidth = 4;
  context.stroke();
  if (pen.down) {
    context.fillStyle = "#6ea8ff";
    context.fill();
  }
}

/** Return the strokes drawn so far; the first stroke replaces an MNIST image or the demo 2. */
function strokes() {
  if (!state.image.strokes || state.image.demo) state.image = { strokes: [] };
  return state.image.strokes;
}

/** Draw on a copy if the history refers to the drawing. */
function own() {
  if (state.history.some((op) => op.image === state.image)) state.image = { strokes: state.image.strokes.map((stroke) => [...stroke]) };
}

function drawn() {
  handled ||= performance.now();
  paint();
  look();
  clearTimeout(settling);
  settling = setTimeout(settle, 220);
}

function listen() {
  let drawing = false;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.x) / box.width) * GRID, ((event.clientY - box.y) / box.height) * GRID];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    stopWriting();
    drawing = true;
    pen = null;
    strokes();
    own();
    add(strokes(), ...place(event), true);
    drawn();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const fresh = (events.length ? events : [event]).map((each) => add(strokes(), ...place(each), false));
    if (fresh.includes(true)) drawn();
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (drawing = false));
  canvas.addEventListener("keydown", key);
  canvas.addEventListener("focus", () => {
    if (!canvas.matches(":focus-visible")) return;
    pen ??= { x: 128, y: 128, down: false };
    paint();
  });
  canvas.addEventListener("blur", () => {
    pen = null;
    paint();
  });
}

const WAYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

function key(event) {
  const way = WAYS[event.key];
  if (!way && event.key !== " ") return;
  event.preventDefault();
  stopWriting();
  pen ??= { x: 128, y: 128, down: false };
  if (!way) {
    pen.down = !pen.down;
    if (pen.down) {
      strokes();
      own();
      add(strokes(), pen.x, pen.y, true);
      drawn();
    } else paint();
    return;
  }
  pen.x = Math.max(0, Math.min(GRID - 1, pen.x + way[0]));
  pen.y = Math.max(0, Math.min(GRID - 1, pen.y + way[1]));
  if (pen.down && add(strokes(), pen.x, pen.y, false)) drawn();
  else paint();
}

async function clear() {
  stopWriting();
  state.image = { strokes: [] };
  paint();
  await look();
  settle();
}

/** Show a test image of the digit, or of a random digit. */
async function sample(digit) {
  stopWriting();
  const of = digit ?? Math.floor(10 * Math.random());
  const first = await ask(`images?split=test&digit=${of}&start=0&count=1`);
  if (!first) return;
  const found = await ask(`images?split=test&digit=${of}&start=${Math.floor(first.of * Math.random())}&count=1`, undefined, "draw");
  if (!found) return;
  const [image] = found.images;
  state.image = { split: "test", index: image.index };
  await showPixels(bytes(image.pixels));
}

async function showPixels(grey) {
  mnist = document.createElement("canvas");
  paintGrey(mnist, Array.from(grey, (value) => value / 255));
  paint();
  await look();
  settle();
}

/** Show the MNIST image named by a link; its pixels are the network's input. */
function showSplit() {
  on("look", () => {
    if (!state.image.split || mnist) return;
    mnist = document.createElement("canvas");
    paintGrey(mnist, model.look.x);
    paint();
  });
}

let writing = 0;

function stopWriting() {
  cancelAnimationFrame(writing);
  writing = 0;
}

/** Animate the demo 2 as if written by hand. */
function write() {
  const begun = performance.now() + 300;
  const points = demo[0];
  const frame = (now) => {
    const shown = Math.min(points.length, Math.floor(((now - begun) / 1100) * points.length));
    state.image = { strokes: shown > 0 ? [points.slice(0, shown)] : [], demo: true };
    paint();
    if (shown > 0 && model.network) look();
    writing = 0;
    if (shown < points.length) writing = requestAnimationFrame(frame);
    else {
      state.image = { strokes: demo, demo: true };
      keep();
      tell("settled");
    }
  };
  state.image = { strokes: [], demo: true };
  writing = requestAnimationFrame(frame);
}
