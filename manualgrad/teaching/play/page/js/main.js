// The page: its frame and its six parts.

import { say } from "./api.js";
import { button, h } from "./dom.js";
import { explanations, forgetFormulas } from "./explain.js";
import { copied, jsonButton } from "./json.js";
import { forget } from "./look.js";
import { begin } from "./model.js";
import * as average from "./parts/average.js";
import * as chain from "./parts/chain.js";
import * as descend from "./parts/descend.js";
import * as draw from "./parts/draw.js";
import * as step from "./parts/step.js";
import * as wish from "./parts/wish.js";
import { keep, link, on, PARTS, restore, state, tell } from "./state.js";
import { T } from "./strings.js";

const parts = { draw, wish, step, average, descend, chain };

function frame() {
  const skip = document.querySelector(".skip");
  skip.textContent = T.skip;
  skip.addEventListener("click", (event) => go(event, "draw"));
  document.querySelector(".brand span").textContent = T.brand;
  const nav = document.querySelector("nav");
  nav.setAttribute("aria-label", T.parts);
  nav.append(...PARTS.map((part) => h("a", { href: `#${part}`, "data-part": part, text: T.nav[part], onclick: (event) => go(event, part) })));
  const share = button(T.copyLink, async (event) => copied(location.href.split("#")[0] + link(), event.target), { class: "quiet share", title: T.copyLinkSays });
  document.querySelector(".tools").append(share, themeButton());
  const functions = T.footFunctions.flatMap((name, i) => [i ? ", " : "", h("code", { text: name })]);
  document.querySelector("footer").append(h("p", {}, T.foot[0], ...functions, T.foot[1]));
}

function go(event, part) {
  event.preventDefault();
  document.getElementById(`part-${part}`).scrollIntoView();
  document.getElementById(`heading-${part}`).focus({ preventScroll: true });
}

function themeButton() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => (dark() ? T.theme.toLight : T.theme.toDark);
  const toggle = button("", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // without storage, the choice is not remembered
    }
    themed();
  }, { class: "quiet theme" });
  const themed = () => {
    toggle.textContent = name();
    toggle.title = T.theme.says(name().toLowerCase());
    forget();
    tell("theme");
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);
  themed();
  return toggle;
}

function sections() {
  const main = document.querySelector("main");
  for (const [i, part] of PARTS.entries()) {
    const heading = h("h2", { id: `heading-${part}`, tabindex: -1 }, h("span", { class: "number", text: i + 1, "aria-hidden": "true" }), T[part].heading);
    const section = h("section", { id: `part-${part}`, class: `part ${part}`, "aria-labelledby": `heading-${part}` });
    section.append(part === "draw" ? heading : h("div", { class: "heading" }, heading, jsonButton(part))); // the page's title is above the first part
    main.append(section);
    parts[part].mount(section);
  }
  main.prepend(h("div", { class: "opening" }, h("h1", { text: T.title }), h("p", { class: "lede", text: T.lede })));
}

/** Mark the part in the middle of the window in the navigation, and keep it in the URL. */
function follow() {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) arrive(entry.target.id.slice("part-".length));
    },
    { rootMargin: "-45% 0px -50% 0px" },
  );
  for (const part of PARTS) seen.observe(document.getElementById(`part-${part}`));
}

function arrive(part) {
  for (const a of document.querySelectorAll("nav a")) {
    if (a.dataset.part === part) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
  }
  if (state.part === part) return;
  state.part = part;
  keep();
}

restore();
const first = state.part;
frame();
sections();
explanations();
on("settled network", forgetFormulas);
document.documentElement.classList.add("ready");
if (first !== "draw") document.getElementById(`part-${first}`).scrollIntoView({ behavior: "instant" });
follow();
addEventListener("hashchange", () => location.reload());
await document.fonts.ready;
await begin();
document.documentElement.classList.add("begun");
say("");
