// The numbers of a part as JSON: the server's last answers for it.

import { responsesOf } from "./api.js";
import { button, h } from "./dom.js";
import { T } from "./strings.js";

const text = h("textarea", { readonly: true, spellcheck: "false", "aria-label": T.json.name });
const heading = h("h2", { id: "json-heading" });
const dialog = h(
  "dialog",
  { class: "json", "aria-labelledby": "json-heading" },
  heading,
  h("p", { text: T.json.says }),
  text,
  h("div", { class: "row" }, button(T.json.copy, copy), button(T.json.close, () => dialog.close())),
);

export function jsonButton(part) {
  return button(T.json.button, () => show(part), { class: "quiet json", "aria-label": T.json.of(T.nav[part]) });
}

function show(part) {
  if (!dialog.isConnected) document.body.append(dialog);
  heading.textContent = T.json.of(T.nav[part]);
  text.value = JSON.stringify({ ...responsesOf(part), ...responsesOf("formula") }, null, 1);
  dialog.showModal();
}

async function copy(event) {
  await copied(text.value, event.target);
}

/** Copy a text, and confirm it on the button for a while. */
export async function copied(value, pressed) {
  const before = pressed.textContent;
  try {
    await navigator.clipboard.writeText(value);
    pressed.textContent = T.copied;
  } catch {
    pressed.textContent = T.notCopied;
  }
  setTimeout(() => (pressed.textContent = before), 1800);
}
