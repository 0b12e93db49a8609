// The server's last answers about this tab's network and the drawing.

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
  accuracies: [], // [steps, accuracy] after each change, for the curve
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
    state.history = []; // the history of a link may be too long for the server
    opened = await open();
  }
  take(opened);
  tell("network");
  await look();
  tell("settled");
}

/** Copy what an answer says about the network. */
export function take(answer) {
  if (!answer) return;
  for (const name of ["sizes", "activations", "network", "accuracy", "predictions", "steps", "name", "undo"]) {
    if (answer[name] !== undefined && answer[name] !== null) model[name] = answer[name];
  }
  if (answer.network) model.sizes = [answer.network.W[0][0].length, ...answer.network.W.map((W) => W.length)];
  if (answer.accuracy !== undefined && answer.accuracy !== null) model.accuracies.push([model.steps, answer.accuracy]);
}

/** Forward pass: what the network sees in the drawing. */
export const look = newest(async () => {
  const answer = await ask("look", { image: imageField(state.image) }, "draw");
  if (!answer) return;
  model.look = answer;
  tell("look");
});

/** Backward pass: what the drawing wants. */
const wish = newest(async () => {
  const answer = await ask("wishes", wanted(), "wish");
  if (!answer) return;
  model.wishes = answer;
  tell("wishes");
});

on("settled", wish);

/** Update every part after a change of the drawing, the target or the network. */
export function settle() {
  keep();
  tell("settled");
}

/** Reset the tab to a trained or random network. */
export async function restart(start, seed = state.seed) {
  Object.assign(state, { start, seed, history: [] });
  const answer = await ask("reset", await startFields(), "draw");
  if (!answer) return;
  model.accuracies = [];
  take(answer);
  await changed();
}

/** Update the page after a change of the weights. */
export async function changed() {
  tell("network");
  await look();
  settle();
  if (!repeatable()) say(T.tooLong);
}

/** Fetch the network from the server after training. */
export async function refresh() {
  take(await ask("network", undefined, "descend"));
  await changed();
}
