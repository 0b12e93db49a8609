// Part 6: one neuron per layer, every factor of the chain rule, and a nudge that travels.

import { ask, newest } from "../api.js";
import { button, choice, chosen, fixed, formula, h, plain, signed, slider, superscript } from "../dom.js";
import { extras } from "../explain.js";
import { keep, state } from "../state.js";
import { T } from "../strings.js";

const RANGES = { w: [-4, 4], b: [-4, 4], x: [-2, 2], y: [0, 1], z: [-6, 6], a: [0, 1], C: [0, 1] };

/** Write "z1" as z⁽¹⁾. */
function lettersOf(name) {
  if (name.startsWith("C")) return "C₀";
  return name.length > 1 ? `${name[0]}⁽${superscript(name.slice(1))}⁾` : name;
}

let nudge = { of: "w1", by: 0.5 }; // or null
let by = "w1"; // the parameter whose factors are shown

export function mount(section) {
  section.append(h("p", { class: "prose", text: T.chain.intro }));
  const neurons = choice(T.chain.neurons, [1, 2, 3, 4].map((n) => [n, String(n)]), state.chain.w.length, (n) => {
    resize(n);
    build();
    changed();
  });
  const strip = h("div", { class: "strip scroll", tabindex: 0, role: "region", "aria-label": T.chain.stripName });
  const lines = h("div", { class: "lines" });
  const travel = nudging();
  const factors = h("div", { class: "panel factors" });
  section.append(h("div", { class: "row wide" }, neurons), h("figure", { class: "wide" }, strip), h("h3", { text: T.chain.values }), h("figure", { class: "wide lines-box" }, lines), h("figure", { class: "wide" }, travel.box), h("figure", { class: "wide" }, factors));
  let rows = {};
  extras.chain = () => ({ chain: state.chain });

  function build() {
    rows = {};
    const { w, b, x, y } = state.chain;
    const group = [];
    const n = w.length;
    rows.x = row("x", "x", x, (value) => (state.chain.x = value));
    rows.y = row("y", "y", y, (value) => (state.chain.y = value));
    rows.C = row("C", "C₀", 0, null);
    group.push(h("div", { class: "layer" }, h("h4", { text: T.chain.example }), rows.x.box, rows.y.box, rows.C.box));
    for (let l = 1; l <= n; l++) {
      const s = (letter) => lettersOf(`${letter}${l}`);
      rows[`w${l}`] = row(`w${l}`, s("w"), w[l - 1], (value) => (state.chain.w[l - 1] = value));
      rows[`b${l}`] = row(`b${l}`, s("b"), b[l - 1], (value) => (state.chain.b[l - 1] = value));
      rows[`z${l}`] = row(`z${l}`, s("z"), 0, null);
      rows[`a${l}`] = row(`a${l}`, s("a"), 0, null);
      group.push(h("div", { class: "layer" }, h("h4", { text: T.chain.layer(l) }), ["w", "b", "z", "a"].map((letter) => rows[`${letter}${l}`].box)));
    }
    lines.replaceChildren(...group);
    by = rows[by] ? by : "w1";
    travel.choices(Object.keys(rows).filter((name) => name !== "C" && name !== "y"));
  }

  /** Create the line of a quantity with a slider; moving z or a, which cannot be set, is a nudge. */
  function row(name, letters, value, set) {
    const [min, max] = RANGES[name[0]];
    const output = h("output", { class: "value" });
    const input = h("input", { type: "range", min, max, step: 0.01, value, disabled: name === "C", "aria-label": set ? T.chain.set(letters) : name === "C" ? letters : T.chain.grab(letters) });
    const ghost = h("i", { class: "ghost" });
    const ticks = h("span", { class: "ticks", "aria-hidden": "true" }, [min, (min + max) / 2, max].map((tick) => h("span", { text: plain(tick, 2).replace(/\.0$/, "") })));
    input.addEventListener("input", () => {
      if (set) {
        set(Number(input.value));
        output.textContent = fixed(Number(input.value));
      } else {
        nudge = { of: name, by: Number(input.value) - rows[name].value };
        travel.show();
      }
      changed();
    });
    const derivative = h("span", { class: "derivative value" });
    const box = h("div", { class: `line ${set ? "set" : "made"}` }, h("span", { class: "name", "data-f": name === "y" ? null : name === "C" ? "chain.C" : `chain.C.${name}`, tabindex: name === "y" ? null : 0, role: "img", "aria-label": letters }, formula(letters)), h("span", { class: "rail" }, input, ghost, ticks), output, derivative);
    return { box, input, output, ghost, derivative, value, min, max, letters };
  }

  function changed() {
    keep();
    ask_();
  }

  const ask_ = newest(async () => {
    const answer = await ask("chain", { ...state.chain, nudge }, "chain");
    if (answer) show(answer);
  });

  function show(answer) {
    const values = Object.fromEntries(answer.values.map((each) => [each.name, each]));
    for (const each of answer.parameters) values[each.name] = each;
    values.y = { value: answer.y };
    values.C = { value: answer.cost };
    const moved = Object.fromEntries((answer.travel ?? []).map((each) => [each.name, each]));
    for (const [name, row] of Object.entries(rows)) place(row, name, values[name], moved[name]);
    strip.replaceChildren(...links(answer));
    travel.table(answer.travel);
    showFactors(answer);
  }

  function place(row, name, quantity, moved) {
    if (!quantity) return;
    row.value = quantity.value;
    const grabbed = nudge?.of === name && row.box.classList.contains("made");
    if (document.activeElement !== row.input || !grabbed) row.input.value = quantity.value + (grabbed ? nudge.by : 0);
    row.output.textContent = fixed(quantity.value, 3);
    row.input.setAttribute("aria-valuetext", fixed(quantity.value, 3));
    row.derivative.replaceChildren(...(quantity.derivative === undefined ? [] : [...formula(`∂C₀/∂${row.letters} = `), signed(quantity.derivative)]));
    const change = moved?.measured ?? (nudge?.of === name ? nudge.by : 0);
    row.ghost.hidden = !change;
    const part = (value) => Math.max(0, Math.min(1, (value - row.min) / (row.max - row.min)));
    const [from, to] = [part(quantity.value), part(quantity.value + change)];
    row.ghost.className = `ghost ${change >= 0 ? "up" : "down"}`;
    row.ghost.style.left = `calc(10px + (100% - 20px) * ${Math.min(from, to)})`;
    row.ghost.style.width = `calc((100% - 20px) * ${Math.abs(to - from)})`;
  }

  /** Create x → z⁽¹⁾ → a⁽¹⁾ → … → C₀, with the factor on each arrow. */
  function links(answer) {
    const longest = answer.parameters.find((each) => each.name === "w1").links.slice(1);
    const first = answer.parameters.find((each) => each.name === "w1").links[0];
    const change = (name) => (answer.travel ?? []).find((each) => each.name === name);
    const nodes = [quantity("x", change("x")), arrow({ ...first, formula: answer.parameters.find((each) => each.name === "w1").letters, value: state.chain.w[0], by: "x" }), quantity(first.of, change(first.of))];
    for (const link of longest) nodes.push(arrow(link), quantity(link.of, change(link.of)));
    return nodes;
  }

  /** Create the circle of a quantity, with the measured change by the nudge below. */
  function quantity(name, change) {
    const moved = change && Math.abs(change.measured) > 0;
    return h("span", { class: "stop" }, h("span", { class: `quantity ${moved ? (change.measured > 0 ? "up moved" : "down moved") : ""}` }, h("span", {}, formula(lettersOf(name)))), h("small", { class: "value", "data-f": `chain.${name}`, text: moved ? signed(change.measured) : "" }));
  }

  function arrow(link) {
    return h("span", { class: `arrow ${link.value >= 0 ? "up" : "down"}` }, h("span", { class: "value", text: signed(link.value) }), h("i"));
  }

  function showFactors(answer) {
    const parameter = answer.parameters.find((each) => each.name === by) ?? answer.parameters.at(-2);
    const pick = choice(T.chain.factorsOf, [...answer.parameters].sort((p, q) => p.name[1] - q.name[1] || (p.name > q.name ? -1 : 1)).map((each) => [each.name, each.letters]), parameter.name, (name) => {
      by = name;
      showFactors(answer);
      factors.querySelector(`[value=${name}]`).focus();
    });
    for (const span of pick.querySelectorAll(".option span")) span.replaceChildren(...formula(span.textContent));
    const tiles = parameter.links.flatMap((link, i) => [i ? h("span", { class: "times", text: "·" }) : null, tile(link, i)]);
    factors.replaceChildren(
      h("h3", {}, formula(T.chain.factors(parameter.letters))),
      pick,
      h("div", { class: "tiles" }, tiles, h("span", { class: "times", text: "=" }), h("div", { class: "tile product", tabindex: 0, role: "img", "data-f": `chain.C.${parameter.name}`, "aria-label": `${T.chain.product} ${signed(parameter.derivative, 4)}` }, fraction("C₀", parameter.letters), h("span", { class: "value", text: signed(parameter.derivative, 4) }))),
      h("p", { class: "caption", text: `${T.chain.difference}: ${signed(parameter.difference, 4)}` }),
    );
  }

  build();
  changed();

  function nudging() {
    const { select: picker, field } = chosen(T.chain.nudge, () => ((nudge = { of: picker.value, by: nudge?.by || 0.2 }), showNudge(), changed()));
    const by = slider(T.chain.by, { min: -1, max: 1, step: 0.01, value: 0, shown: (value) => signed(value, 2), oninput: (value) => {
      nudge = { of: picker.value, by: value };
      changed();
    } });
    const letGo = button(T.chain.let, () => ((nudge = null), by.show(0), changed()));
    const table = h("div", { class: "travel", tabindex: 0, role: "region", "aria-label": T.chain.travelName });
    const box = h("div", { class: "panel" }, h("h3", { text: T.chain.travel }), h("p", { text: T.chain.grabSays }), h("div", { class: "row" }, field, by, letGo), table);
    const showNudge = () => {
      if (!nudge) return;
      picker.value = nudge.of;
      by.show(Math.max(-1, Math.min(1, nudge.by)));
    };
    return {
      box,
      show: showNudge,
      choices(names) {
        if (nudge && !names.includes(nudge.of)) nudge = null;
        picker.replaceChildren(...names.map((name) => h("option", { value: name, text: lettersOf(name) })));
        showNudge();
      },
      table(found) {
        const each = found ?? [];
        const line = (name, of) => h("tr", {}, h("th", { scope: "row", text: name }), each.map((one) => h("td", { class: "value", text: signed(of(one)) })));
        const head = h("tr", {}, h("th", { scope: "col", text: T.chain.quantity }), each.map((one) => h("th", { scope: "col" }, formula(lettersOf(one.name)))));
        table.replaceChildren(h("table", {}, h("caption", { class: "unseen", text: T.chain.travelName }), h("thead", {}, head), h("tbody", {}, line(T.chain.predicted, (one) => one.predicted), line(T.chain.actual, (one) => one.measured))));
        box.classList.toggle("still", !found);
      },
    };
  }
}

function resize(n) {
  const { w, b } = state.chain;
  while (w.length < n) {
    w.push(1);
    b.push(0);
  }
  w.length = b.length = n;
}

function tile(link, i) {
  return h("div", { class: "tile", tabindex: 0, role: "img", "data-f": `chain.${link.of}.${link.by}`, "aria-label": `∂${lettersOf(link.of)}/∂${lettersOf(link.by)} = ${signed(link.value)}` }, fraction(lettersOf(link.of), lettersOf(link.by)), h("span", { class: "how" }, formula(link.formula)), h("span", { class: "value", text: signed(link.value) }));
}

function fraction(above, below) {
  return h("span", { class: "fraction" }, h("span", {}, formula(`∂${above}`)), h("span", {}, formula(`∂${below}`)));
}
