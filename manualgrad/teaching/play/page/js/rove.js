// Roving tabindex: a figure is one tab stop, and arrow keys move to the nearest element in their direction.

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Make the elements of `container` that match `selector` one tab stop; call the returned function after they change. */
export function rove(container, selector) {
  const all = () => [...container.querySelectorAll(selector)];

  function hold(element) {
    for (const other of all()) other.setAttribute("tabindex", other === element ? "0" : "-1");
  }

  container.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    const from = event.target.closest(selector);
    if (!way || !from || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = nearest(from, all(), way);
    event.preventDefault();
    if (to) {
      hold(to);
      to.focus();
    }
  });
  container.addEventListener("focusin", (event) => {
    const element = event.target.closest(selector);
    if (element) hold(element);
  });
  return () => {
    const elements = all();
    hold(elements.find((element) => element.getAttribute("tabindex") === "0") ?? elements[0]);
  };
}

function nearest(from, elements, [dx, dy]) {
  const here = middle(from);
  let best = null;
  let least = Infinity;
  for (const element of elements) {
    const there = middle(element);
    const [right, down] = [there[0] - here[0], there[1] - here[1]];
    const along = right * dx + down * dy;
    const aside = Math.abs(right * dy) + Math.abs(down * dx);
    if (element === from || along < 1 || aside > 3 * along + 60) continue;
    const distance = along + 3 * aside;
    if (distance < least) [best, least] = [element, distance];
  }
  return best;
}

function middle(element) {
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}
