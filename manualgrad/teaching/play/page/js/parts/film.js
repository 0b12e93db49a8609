// The forward and the backward pass, stage by stage, with play, pause and step.

import { button, h, plain } from "../dom.js";
import { model } from "../model.js";
import { NetworkView } from "../network-view.js";
import { on } from "../state.js";
import { T } from "../strings.js";

const PACE = 1900; // milliseconds per stage

export function film(section) {
  let stage = 0;
  let timer = 0;
  const box = h("div", { class: "network-box" });
  const caption = h("p", { class: "film-caption", "aria-live": "polite" });
  const scrub = h("input", { type: "range", min: 0, max: 7, step: 1, value: 0, "aria-label": T.wish.stage, oninput: () => go(Number(scrub.value)) });
  const play = button(T.wish.play, () => (timer ? stop() : start()), { class: "play primary" });
  section.append(
    h("h3", { text: T.wish.film }),
    h("p", { class: "prose", text: T.wish.filmIntro }),
    h("figure", { class: "wide film" }, box, h("div", { class: "row" }, play, button(T.wish.back, () => (stop(), go(stage - 1)), { class: "back" }), button(T.wish.next, () => (stop(), go(stage + 1)), { class: "next" }), scrub), caption),
  );
  const view = new NetworkView(box, { name: T.wish.film, compact: true });

  const stages = () => 2 * (model.sizes.length - 1) + 2;

  function start() {
    if (stage >= stages() - 1) go(0);
    timer = setInterval(() => (stage + 1 < stages() ? go(stage + 1) : stop()), PACE);
    play.textContent = T.wish.pause;
    if (stage === 0) go(1);
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = T.wish.play;
  }

  function go(to) {
    stage = Math.max(0, Math.min(stages() - 1, to));
    scrub.value = stage;
    redraw();
  }

  /** Draw the stage: 0 is the image, 1 … L forward, then the cost, then L … 1 backward. */
  function redraw() {
    const L = model.sizes.length - 1;
    scrub.max = stages() - 1;
    const back = stage > L + 1 ? 2 * L + 2 - stage : Infinity;
    view.upTo = stage > L ? L : stage;
    view.downTo = back;
    view.flow = stage === 0 || stage === L + 1 ? null : stage <= L ? { l: stage, way: "on" } : { l: back, way: "back" };
    view.redraw();
    const text = words(stage, L, back);
    if (caption.textContent !== text) caption.textContent = text;
    scrub.setAttribute("aria-valuetext", text);
  }

  on("network theme", () => view.renew());
  on("look wishes", redraw);
}

function words(stage, L, back) {
  if (stage === 0) return T.wish.stages.input;
  if (stage <= L) return T.wish.stages.forward(stage, L);
  if (stage === L + 1) return T.wish.stages.cost(plain(model.wishes?.cost, 4));
  return T.wish.stages.backward(back, L);
}
