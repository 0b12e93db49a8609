// Requests to the server: this tab's own network, made again where the server dropped it, and waited for where it is gone.

import { imageField, packedField } from "./drawing.js";
import { keep, repeatable, session, state } from "./state.js";
import { T } from "./strings.js";

let opening = null;
let alive = null;
const responses = {}; // of each part, by path: what its JSON button shows

export function responsesOf(part) {
  return responses[part] ?? {};
}

/** The answer to a request, or null where the server refused it: the status line then says why. */
export async function ask(path, fields = undefined, part = null) {
  for (let tries = 0; ; tries++) {
    const response = await reach(path, fields);
    if (response.status === 404 && session.tab && tries < 2) {
      await reopen();
      continue;
    }
    const answer = await response.json();
    if (!response.ok) {
      say(answer.error ?? T.refused);
      return null;
    }
    if (part) (responses[part] ??= {})[`${fields ? "POST" : "GET"} ${path}`] = answer;
    return answer;
  }
}

/** A response line by line, as it comes; `line` is given each. Whether it came whole. */
export async function stream(path, fields, line) {
  const response = await reach(path, fields);
  if (!response.ok) {
    say((await response.json()).error);
    return false;
  }
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return true;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const text of lines) if (text) line(JSON.parse(text));
    }
  } catch {
    say(T.gone);
    return false;
  }
}

export function note(part, path, answer) {
  (responses[part] ??= {})[path] = answer;
}

async function reach(path, fields) {
  for (;;) {
    try {
      const headers = { ...(fields ? { "Content-Type": "application/json" } : {}), ...(session.tab ? { "X-Tab": session.tab } : {}) };
      return await fetch(`/api/${path}`, { method: fields ? "POST" : "GET", headers, body: fields && JSON.stringify(fields) });
    } catch {
      await (alive ??= waited());
    }
  }
}

/** One wait for all requests, until the server answers again. */
async function waited() {
  for (let pause = 1000; ; pause = Math.min(2 * pause, 8000)) {
    say(T.gone, true);
    await new Promise((resume) => setTimeout(resume, pause));
    try {
      await fetch("/api/about");
      break;
    } catch {
      // still gone
    }
  }
  alive = null;
  say("");
}

/** A tab of the server with this page's network; null where the server refuses. */
export async function open() {
  session.tab = null;
  const answer = await ask("tabs", await startFields(), "draw");
  session.tab = answer?.tab ?? null;
  keep();
  return answer;
}

function reopen() {
  return (opening ??= open().finally(() => (opening = null)));
}

/** The network from which this page started, and what was done to it since. */
export async function startFields() {
  const ops = repeatable() ? state.history : [];
  const images = [...new Set(ops.map((op) => op.image).filter(Boolean))];
  return {
    start: state.start,
    seed: state.seed,
    history: ops.map((op) => (op.image ? { ...op, image: images.indexOf(op.image) } : op)),
    images: await Promise.all(images.map(packedField)),
  };
}

export function wanted() {
  return { image: imageField(state.image), target: state.target };
}

let shown = 0;

/** A quiet sentence at the foot of the page; it goes again, unless it stays. */
export function say(text, stays = false) {
  const line = document.querySelector(".status");
  clearTimeout(shown);
  line.textContent = text ?? "";
  line.classList.toggle("shown", Boolean(text));
  if (text && !stays) shown = setTimeout(() => say(""), 6000);
}

/** `work`, one at a time: what is asked for meanwhile is done once, afterwards, with what is newest then. */
export function newest(work) {
  let busy = false;
  let again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      busy = false;
    }
  };
}
