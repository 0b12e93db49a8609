// The state of the page, kept in the URL's fragment so that a reload or a link restores it.

import { base64, bytes } from "./dom.js";
import { demo } from "./drawing.js";

export const PARTS = ["draw", "wish", "step", "average", "descend", "chain"];

/** Limits of a history that the server replays. */
const LIMITS = { ops: 200, steps: 20000, images: 20 };

export const state = {
  part: "draw",
  start: null, // trained, random or run; null until the server says which it has
  seed: 1,
  history: [], // {op: "step", image, target, rate, times} | {op: "train", batch, rate, steps, seed}
  image: { strokes: demo, demo: true }, // or {split, index}
  target: 2,
  output: 2,
  rate: 1,
  examples: [],
  weight: null,
  batch: 10,
  trainRate: 1,
  chain: { w: [1.2, -0.8, 1.5], b: [0.2, 0.4, -0.3], x: 0.8, y: 1 },
};

const listeners = {};

/** Call `listener` whenever one of the topics (a space-separated string) is announced. */
export function on(topics, listener) {
  for (const topic of topics.split(" ")) (listeners[topic] ??= []).push(listener);
}

/** Announce a topic: image (while drawing), settled (the drawing, the target or the network changed), network, theme, ... */
export function tell(topic) {
  for (const listener of listeners[topic] ?? []) listener();
}

let waiting = 0;

/** The server's tab; a reload keeps it if the network is still the same. */
export const session = { tab: null };

/** Write the state into the URL after a delay: browsers limit the number of writes. */
export function keep() {
  clearTimeout(waiting);
  waiting = setTimeout(write, 250);
}

function write() {
  clearTimeout(waiting);
  waiting = 0;
  history.replaceState(null, "", link());
  try {
    sessionStorage.setItem("tab", JSON.stringify({ tab: session.tab, network: networkText(), history: repeatable() ? null : state.history }));
  } catch {
    // without storage, a reload replays the history
  }
}

addEventListener("pagehide", () => waiting && write());

/** After a reload, return the page's previous tab if it had the same network. */
export function remembered() {
  if (performance.getEntriesByType("navigation")[0]?.type !== "reload") return null;
  try {
    const found = JSON.parse(sessionStorage.getItem("tab"));
    if (!found?.tab || found.network !== networkText()) return null;
    if (found.history) state.history = found.history;
    return found.tab;
  } catch {
    return null;
  }
}

/** Return the part of the URL that determines the network. */
function networkText() {
  const { start, seed, done, images } = fields();
  return JSON.stringify([start, seed, done, images]);
}

export function link() {
  return `#${new URLSearchParams(fields())}`;
}

/** Return whether the history is short enough for the server to replay. */
export function repeatable(ops = state.history) {
  const steps = ops.reduce((sum, op) => sum + (op.times ?? op.steps), 0);
  return ops.length <= LIMITS.ops && steps <= LIMITS.steps && new Set(ops.map((op) => op.image).filter(Boolean)).size <= LIMITS.images;
}

/** Append an operation to the history; training with unchanged settings extends the last entry. */
export function record(op) {
  const last = state.history.at(-1);
  const same = last?.op === "train" && op.op === "train" && ["batch", "rate", "seed"].every((name) => last[name] === op[name]);
  if (same) last.steps += op.steps;
  else state.history.push(op);
  keep();
}

function fields() {
  const found = { part: state.part };
  if (state.start) found.start = state.start;
  if (state.start === "random") found.seed = state.seed;
  const ops = repeatable() ? state.history : [];
  const images = [...new Set([state.image.demo ? "" : imageText(state.image), ...ops.filter((op) => op.image).map((op) => imageText(op.image))])];
  found.images = images.join("*");
  found.target = state.target;
  found.output = state.output;
  found.rate = short(state.rate);
  if (ops.length) found.done = ops.map((op) => opText(op, images)).join("_");
  if (state.examples.length) found.examples = state.examples.join("*");
  if (state.weight) found.weight = `${state.weight.l}*${state.weight.j}*${state.weight.k}`;
  found.train = `${state.batch}*${short(state.trainRate)}`;
  const { w, b, x, y } = state.chain;
  found.chain = [...w, ...b, x, y].map(short).join("*");
  return found;
}

function short(value) {
  return String(Number(value.toPrecision(6)));
}

function imageText(image) {
  if (!image) return "";
  if (image.split) return `${image.split}.${image.index}`;
  const flat = image.strokes.flatMap((stroke) => [stroke.length, ...stroke.flat()]);
  return `ink.${base64(Uint8Array.from(flat)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

function opText(op, images) {
  if (op.op === "train") return ["t", op.batch, short(op.rate), op.steps, op.seed].join("*");
  return ["s", images.indexOf(imageText(op.image)), op.target, short(op.rate), op.times].join("*");
}

/** Read the state from the URL. Values that cannot be read keep their defaults, since links may be cut off in emails. */
export function restore() {
  const given = new URLSearchParams(location.hash.slice(1));
  const read = (name, reader) => {
    if (!given.get(name)) return;
    try {
      reader(given.get(name));
    } catch {
      // keep the default
    }
  };
  let images = [];
  if (PARTS.includes(location.hash.slice(1))) state.part = location.hash.slice(1);
  read("part", (text) => (state.part = PARTS.includes(text) ? text : state.part));
  read("start", (text) => (state.start = ["trained", "random", "run"].includes(text) ? text : state.start));
  read("seed", (text) => (state.seed = within(text, 0, 2 ** 31 - 1)));
  read("images", (text) => (images = text.split("*").map(imageOf)));
  if (images[0]) state.image = images[0];
  read("target", (text) => (state.target = within(text, 0, 9)));
  read("output", (text) => (state.output = within(text, 0, 9)));
  read("rate", (text) => (state.rate = within(text, 0.001, 100)));
  read("done", (text) => (state.history = text.split("_").map((op) => opOf(op, images))));
  read("examples", (text) => (state.examples = text.split("*").slice(0, 200).map((n) => within(n, 0, 60000))));
  read("weight", (text) => (([l, j, k]) => (state.weight = { l, j, k }))(text.split("*").map((n) => within(n, 0, 1e6))));
  read("train", (text) => (([batch, rate]) => ([state.batch, state.trainRate] = [within(batch, 0, 100), within(rate, 0.001, 100)]))(text.split("*")));
  read("chain", (text) => (state.chain = chainOf(text.split("*").map((n) => within(n, -10, 10)))));
}

function within(text, low, high) {
  const value = Number(text);
  if (text === "" || !(value >= low && value <= high)) throw new RangeError(text);
  return value;
}

function imageOf(text) {
  const [kind, rest] = text.split(".");
  if (kind === "test" || kind === "train") return { split: kind, index: within(rest, 0, 60000) };
  if (kind !== "ink") return null;
  const flat = bytes(rest.replaceAll("-", "+").replaceAll("_", "/"));
  const strokes = [];
  for (let i = 0; i < flat.length; i += 1 + 2 * flat[i]) {
    if (flat[i] === 0 || i + 2 * flat[i] >= flat.length) throw new RangeError(text);
    strokes.push(Array.from({ length: flat[i] }, (_, n) => [flat[i + 1 + 2 * n], flat[i + 2 + 2 * n]]));
  }
  return { strokes };
}

function opOf(text, images) {
  const [kind, first, second, third, fourth] = text.split("*");
  if (kind === "t") return { op: "train", batch: within(first, 0, 100), rate: within(second, 0, 1000), steps: within(third, 1, 1e6), seed: within(fourth, 0, 2 ** 31 - 1) };
  const image = images[within(first, 0, 100)];
  if (!image) throw new RangeError(text);
  return { op: "step", image, target: within(second, 0, 9), rate: within(third, 0, 1000), times: within(fourth, 1, 10000) };
}

function chainOf(numbers) {
  const n = (numbers.length - 2) / 2;
  if (!(Number.isInteger(n) && n >= 1 && n <= 4)) throw new RangeError("chain");
  return { w: numbers.slice(0, n), b: numbers.slice(n, 2 * n), x: numbers.at(-2), y: numbers.at(-1) };
}
