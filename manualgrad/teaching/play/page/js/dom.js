// Helpers for elements, and the format of numbers and formulas.

const SVG = "http://www.w3.org/2000/svg";

/** Create an HTML element: attributes (on… is a listener, text the text content), then children. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Create an SVG element in the same way. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", text, onclick, ...attributes });
}

/** Create a slider with its name and its value. `shown` formats the value; `oninput` receives it. */
export function slider(name, { min, max, step, value, shown = fixed, oninput, id }) {
  const output = h("output", { class: "value", text: shown(value) });
  const input = h("input", { type: "range", min, max, step, value, id, "aria-label": name, "aria-valuetext": shown(value) });
  input.addEventListener("input", () => {
    show(Number(input.value));
    oninput(Number(input.value));
  });
  function show(next) {
    input.value = next;
    output.textContent = shown(next);
    input.setAttribute("aria-valuetext", shown(next));
  }
  return Object.assign(h("label", { class: "slider" }, h("span", { class: "name" }, ...formula(name)), input, output), { show, input });
}

/** Create a select element with a label. */
export function chosen(name, onchange) {
  const id = `select-${++choices}`;
  const select = h("select", { id, onchange });
  return { select, field: h("span", { class: "field" }, h("label", { for: id, text: name }), select) };
}

/** Create a row of radio buttons that looks like one control. */
export function choice(name, options, value, onchange) {
  const group = `choice-${++choices}`;
  const inputs = options.map(([key, text]) => {
    const input = h("input", { type: "radio", name: group, value: key, onchange: () => onchange(key) });
    input.checked = key === value;
    return [input, h("label", { class: "option" }, input, h("span", { text }))];
  });
  const field = h("fieldset", { class: "choice" }, h("legend", { text: name }), h("div", { class: "options" }, inputs.map(([, label]) => label)));
  field.show = (next) => inputs.forEach(([input]) => (input.checked = input.value === String(next)));
  return field;
}
let choices = 0;

/** 0.97, −1.50 */
export function fixed(value, digits = 2) {
  return value === null || value === undefined ? "–" : minus((value + 0).toFixed(digits).replace(/^-(0\.?0*)$/, "$1"));
}

/** +0.1234, −1.23×10⁻⁵: with a sign and this many significant digits. */
export function signed(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return (value > 0 ? "+" : "") + plain(value, digits);
}

/** 0.1234, −1.23×10⁻⁵ */
export function plain(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e-3 && size < 1e5) return minus(value.toPrecision(digits).includes("e") ? value.toFixed(0) : value.toPrecision(digits));
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${minus(mantissa)}×10${superscript(Number(exponent))}`;
}

export function percent(value, digits = 1) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
}

export function minus(text) {
  return text.replace("-", "−");
}

const ABOVE = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ᴸ";
const BELOW = "₀₁₂₃₄₅₆₇₈₉₋₊₍₎ⱼₖₗ";
const PLAIN_ABOVE = "0123456789−+()L";
const PLAIN_BELOW = "0123456789−+()jkl";

export function superscript(n) {
  return [...String(n)].map((c) => ABOVE["0123456789-".indexOf(c)]).join("");
}

export function subscript(n) {
  return [...String(n)].map((c) => BELOW["0123456789-".indexOf(c)] ?? c).join("");
}

/** Return the nodes of a formula, with <sup> and <sub> for raised and lowered characters, which some fonts lack. */
export function formula(text) {
  const pieces = text.match(new RegExp(`[${ABOVE}]+|[${BELOW}]+(?:,[${BELOW}]+)*|[^${ABOVE}${BELOW}]+`, "gu")) ?? [];
  return pieces.map((piece) => {
    if (ABOVE.includes(piece[0])) return h("sup", { text: moved(piece, ABOVE, PLAIN_ABOVE) });
    if (BELOW.includes(piece[0])) return h("sub", { text: moved(piece, BELOW, PLAIN_BELOW) });
    return document.createTextNode(piece);
  });
}

function moved(text, from, to) {
  return [...text].map((c) => (from.includes(c) ? to[[...from].indexOf(c)] : c)).join("");
}

/** Decode base64 to bytes. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

export function base64(array) {
  let text = "";
  for (let i = 0; i < array.length; i += 8192) text += String.fromCharCode(...array.subarray(i, i + 8192));
  return btoa(text);
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
