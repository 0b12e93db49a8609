// The map of the cost, with two walkers.

import { note, stream } from "../api.js";
import { button, calm, choice, fixed, h, percent } from "../dom.js";
import { rgb } from "../look.js";
import { on, state } from "../state.js";
import { T } from "../strings.js";

const SIZE = 440;

export function map(section) {
  let [first, second] = [0, 10];
  let answer = null;
  let walking = null;
  const options = [1, 10, 100, 0].map((batch) => [batch, T.descend.batches[batch]]);
  const draw = button(T.descend.draw, ask, { class: "primary walk" });
  const says = h("p", { class: "map-says", "aria-live": "polite", text: T.descend.mapEmpty });
  const bar = h("progress", { max: 1, value: 0, "aria-label": T.descend.map });
  const box = h("div", { class: "map-box" });
  const key = h("p", { class: "hill-key", hidden: true }, T.descend.low, h("i"), T.descend.high);
  const legend = h("ul", { class: "walkers" });
  section.append(
    h("h3", { text: T.descend.map }),
    h("p", { class: "prose", text: T.descend.mapIntro }),
    h("div", { class: "row wide" }, choice(T.descend.first, options, first, (batch) => (first = batch)), choice(T.descend.second, options, second, (batch) => (second = batch)), draw),
    h("figure", { class: "wide map" }, box, h("figcaption", {}, bar, says, legend, key)),
  );
  const svg = d3.select(box).append("svg").attr("viewBox", `0 0 ${SIZE} ${SIZE}`).attr("role", "img").attr("aria-label", T.descend.mapName);
  const hill = svg.append("g").attr("class", "hill");
  const paths = svg.append("g").attr("class", "paths");

  async function ask() {
    draw.disabled = true;
    bar.value = 0;
    const fields = { batches: [first, second], rate: state.trainRate, seed: 1, start: "random" };
    const whole = await stream("map", fields, (line) => {
      if (line.error) says.textContent = line.error;
      else if (line.progress !== undefined) {
        bar.value = line.progress;
        says.textContent = T.descend.working(percent(line.progress, 0));
      } else {
        answer = line;
        note("descend", "POST map", line);
      }
    });
    draw.disabled = false;
    draw.textContent = T.descend.again;
    if (!whole || !answer) return;
    bar.value = 1;
    says.textContent = "";
    key.hidden = false;
    paint();
    walk();
  }

  function scales() {
    const { across, up } = answer;
    return [d3.scaleLinear([across[0], across.at(-1)], [0, SIZE]), d3.scaleLinear([up[0], up.at(-1)], [SIZE, 0])];
  }

  function paint() {
    const { costs } = answer;
    const [rows, columns] = [costs.length, costs[0].length];
    const values = costs.flat();
    const [low, high] = d3.extent(values);
    const levels = d3.range(1, 16).map((i) => low + (high - low) * (i / 16) ** 1.8);
    const shapes = d3.contours().size([columns, rows]).thresholds([low - 1, ...levels])(values);
    // d3.contours places values at the centres of cells; the first row is at the bottom of the map.
    const place = d3.geoTransform({
      point(x, y) {
        this.stream.point(((x - 0.5) / (columns - 1)) * SIZE, SIZE - ((y - 0.5) / (rows - 1)) * SIZE);
      },
    });
    const colour = d3.interpolateRgb(rgb("--valley"), rgb("--peak"));
    hill.selectAll("path").data(shapes).join("path").attr("d", d3.geoPath(place)).style("fill", (_, i) => colour(i / 15));
    legend.replaceChildren(...answer.paths.map((path, i) => h("li", { class: `walker-${i}` }, h("span", { class: "key" }), h("strong", { text: T.descend.path(path.batch) }), h("span", { text: T.descend.pathEnd(path.examples.at(-1), fixed(path.costs.at(-1), 3), fixed(path.seconds.at(-1), 2)) }))));
  }

  /** Animate both paths on one clock; the slower one takes four seconds. */
  function walk() {
    walking?.stop();
    const [x, y] = scales();
    const line = d3.line((d) => x(d[0]), (d) => y(d[1]));
    const walkers = paths.selectAll("g").data(answer.paths).join((enter) => {
      const g = enter.append("g");
      g.append("path").attr("class", "under");
      g.append("path").attr("class", "over");
      g.append("circle").attr("r", 6);
      return g;
    }).attr("class", (_, i) => `walker-${i}`);
    const seconds = d3.max(answer.paths, (path) => path.seconds.at(-1));
    const show = (part) => {
      walkers.each((path, i, all) => {
        const points = path.points.slice(0, Math.max(1, d3.bisectRight(path.seconds, part * seconds)));
        const g = d3.select(all[i]);
        g.selectAll("path").attr("d", line(points));
        g.select("circle").attr("transform", `translate(${x(points.at(-1)[0])},${y(points.at(-1)[1])})`);
      });
    };
    if (calm()) show(1);
    else {
      walking = d3.timer((elapsed) => {
        show(elapsed / 4000);
        if (elapsed > 4000) walking.stop();
      });
    }
  }

  on("theme", () => answer && paint());
}
