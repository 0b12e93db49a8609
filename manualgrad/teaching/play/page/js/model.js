// What the server last said of this tab's network and of the drawing.

import { ask, newest, open, say, startFields, wanted } from "./api.js";
import { imageField } from "./drawing.js";
import { keep, on, remembered, repeatable, session, state, tell } from "./state.js";
import { T } from "./strings.js";

export const model = {
  about: null,
  sizes: [784, 16, 16, 10],
  activations: [],
  network: null, // {W, b}
  accuracy: null,
  predictions: null,
  accuracies: [], // the accuracy after each change, for its line
  look: null,
  wishes: null,
  steps: 0,
  undo: 0, // how many changes the server can take back
};

export async function begin() {
  model.about = await ask("about", undefined, "draw");
  const starts = model.about?.starts ?? [];
  if (!starts.includes(state.start)) state.start = starts.includes("run") ? "run" : "trained";
  session.tab = remembered();
  const known = session.tab && (await ask("network", undefined, "draw"));
  let opened = known ?? (await open());
  if (!opened) {
    state.history = []; // a link may ask for more than the server repeats
    opened = await open();
  }
  take(opened);
  tell("network");
  await look();
  tell("settled");
}

/** What an answer says of the network. */
export function take(answer) {
  if (!answer) return;
  for (const name of ["sizes", "activations", "network", "accuracy", "predictions", "steps", "name", "undo"]) {
    if (answer[name] !== undefined && answer[name] !== null) model[name] = answer[name];
  }
  if (answer.network) model.sizes = [answer.network.W[0][0].length, ...answer.network.W.map((W) => W.length)];
  if (answer.accuracy !== undefined && answer.accuracy !== null) model.accuracies.push([model.steps, answer.accuracy]);
}

/** Forward: what the network sees in the drawing. */
export const look = newest(async () => {
  const answer = await ask("look", { image: imageField(state.image) }, "draw");
  if (!answer) return;
  model.look = answer;
  tell("look");
});

/** Backward: what the drawing wishes. */
const wish = newest(async () => {
  const answer = await ask("wishes", wanted(), "wish");
  if (!answer) return;
  model.wishes = answer;
  tell("wishes");
});

on("settled", wish);

/** The drawing, the target or the network is another: every part follows. */
export function settle() {
  keep();
  tell("settled");
}

/** Start again from a network as it comes. */
export async function restart(start, seed = state.seed) {
  Object.assign(state, { start, seed, history: [] });
  const answer = await ask("reset", await startFields(), "draw");
  if (!answer) return;
  model.accuracies = [];
  take(answer);
  await changed();
}

/** The weights are others. */
export async function changed() {
  tell("network");
  await look();
  settle();
  if (!repeatable()) say(T.tooLong);
}

/** The network as it is on the server, after training. */
export async function refresh() {
  take(await ask("network", undefined, "descend"));
  await changed();
}
