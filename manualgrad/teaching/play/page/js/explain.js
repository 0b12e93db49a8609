// The card for the element under the pointer: its formula in letters and in numbers, and the line of code that computes it.

import { ask, newest, wanted } from "./api.js";
import { button, formula, h } from "./dom.js";
import { state } from "./state.js";
import { T } from "./strings.js";

const card = h("aside", { class: "card", hidden: true, "aria-label": T.explain.name, "aria-live": "polite" });
const known = new Map(); // formulas for the current drawing and network
let current = null;
let timer = 0;
let wishedFor = null;

/** Show the formula of elements with data-f="delta 3 2": a key that the server knows, then l, j, k. */
export function explanations() {
  document.body.append(card);
  document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && soon(event.target, 180));
  document.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && soon(event.target, 250));
  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-f]");
    if (element) soon(element, 0);
    else if (!card.contains(event.target)) hide();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("pointerout", (event) => {
    if (event.pointerType !== "mouse" || card.contains(event.relatedTarget) || event.relatedTarget?.closest?.("[data-f]")) return;
    clearTimeout(timer);
    timer = setTimeout(hide, 400);
  });
  card.addEventListener("pointerenter", () => clearTimeout(timer));
}

export function forgetFormulas() {
  known.clear();
}

/** Further fields of a formula request, by key. */
export const extras = {};

function soon(target, delay) {
  const element = target.closest?.("[data-f]");
  if (!element || (element === current && !card.hidden)) {
    if (element) clearTimeout(timer);
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(() => {
    current = element;
    wishedFor = element;
    fetchFormula();
  }, delay);
}

const fetchFormula = newest(async () => {
  const element = wishedFor;
  const key = element.dataset.f;
  let found = known.get(key);
  if (!found) {
    found = await ask("formula", fieldsOf(key), "formula");
    if (found && !key.startsWith("chain")) known.set(key, found);
  }
  if (found && element === current) show(element, found);
});

function fieldsOf(key) {
  const [of, ...indices] = key.split(" ");
  const fields = { of, ...wanted() };
  if (["step", "foretold"].includes(of)) fields.rate = state.rate;
  const names = ["l", "j", "k"];
  if (!of.startsWith("chain")) indices.forEach((index, i) => index !== "-" && (fields[names[i]] = Number(index)));
  return { ...fields, ...extras[of.split(".")[0]]?.() };
}

function show(element, found) {
  card.replaceChildren(
    h("p", { class: "says", text: found.says }),
    h("p", { class: "letters" }, formula(found.letters)),
    h("p", { class: "numbers" }, formula(found.numbers)),
    found.file ? h("p", { class: "where" }, h("span", { text: `${found.file}:${found.line}` }), h("code", { text: found.code.trim() })) : "",
    button("×", hide, { class: "close", "aria-label": T.explain.close }),
  );
  card.hidden = false;
  place(element);
  document.querySelectorAll("[data-f].told").forEach((other) => other.classList.remove("told"));
  element.classList.add("told");
}

function hide() {
  clearTimeout(timer);
  card.hidden = true;
  current = null;
  document.querySelectorAll("[data-f].told").forEach((other) => other.classList.remove("told"));
}

/** Place the card below the element, or above if it does not fit; on a phone, at the bottom. */
function place(element) {
  if (innerWidth < 640) {
    card.style.left = card.style.top = "";
    return;
  }
  const box = element.getBoundingClientRect();
  const [width, height] = [card.offsetWidth, card.offsetHeight];
  const left = Math.max(12, Math.min(innerWidth - width - 12, box.x + box.width / 2 - width / 2));
  const below = box.bottom + 10;
  const top = below + height < innerHeight - 8 ? below : Math.max(8, box.top - height - 10);
  card.style.left = `${left}px`;
  card.style.top = `${top}px`;
}
