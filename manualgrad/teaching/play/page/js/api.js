// Requests to the server: reopen this tab's network if the server dropped it, and wait if the server is down.

import { imageField, packedField } from "./drawing.js";
import { keep, repeatable, session, state } from "./state.js";
import { T } from "./strings.js";

let opening = null;
let alive = null;
const responses = {}; // part -> path -> answer, for the JSON buttons

export function responsesOf(part) {
  return responses[part] ?? {};
}

/** Return the answer to a request, or null if the server rejected it; the status line then says why. */
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

/** Pass a streamed response to `line`, line by line; return whether it was complete. */
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

/** Wait until the server answers again; all requests share one wait. */
async function waited() {
  for (let pause = 1000; ; pause = Math.min(2 * pause, 8000)) {
    say(T.gone, true);
    await new Promise((resume) => setTimeout(resume, pause));
    try {
      await fetch("/api/about");
      break;
    } catch {
      // still down
    }
  }
  alive = null;
  say("");
}

/** Open a tab on the server with this page's network; return null if the server rejects it. */
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

/** Return the network that this page started from, and its history since then. */
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

/** Show a sentence at the bottom of the page for some seconds, or permanently if `stays`. */
export function say(text, stays = false) {
  const line = document.querySelector(".status");
  clearTimeout(shown);
  line.textContent = text ?? "";
  line.classList.toggle("shown", Boolean(text));
  if (text && !stays) shown = setTimeout(() => say(""), 6000);
}

/** Run `work` one call at a time; calls made meanwhile are merged into one that runs afterwards. */
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
