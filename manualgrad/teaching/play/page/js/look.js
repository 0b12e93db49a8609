// Colours, and images of 28×28 numbers.

let cached = {};

export function forget() {
  cached = {};
}

/** Return a colour of the theme. */
export function rgb(name) {
  return (cached[name] ??= d3.rgb(getComputedStyle(document.documentElement).getPropertyValue(name).trim()));
}

/** Return the grey of a neuron: dark at 0, white at 1, like MNIST's pixels. */
export function grey(activation, most = 1) {
  const v = Math.round(18 + 237 * Math.max(0, Math.min(1, activation / Math.max(most, 1e-9))));
  return `rgb(${v},${v},${v})`;
}

const side = (values) => Math.round(Math.sqrt(values.length));

/** Paint values from 0 to 1 on a canvas, one pixel each. */
export function paintGrey(canvas, values) {
  paint(canvas, values, (value) => {
    const v = Math.round(255 * Math.max(0, Math.min(1, value)));
    return [v, v, v, 255];
  });
}

/** Paint positive values blue, negative values orange, and 0 transparent. */
export function paintSigned(canvas, values, most = d3.max(values, Math.abs)) {
  const [up, down] = [rgb("--up"), rgb("--down")];
  paint(canvas, values, (value) => {
    const colour = value > 0 ? up : down;
    return [colour.r, colour.g, colour.b, most ? Math.round(255 * Math.min(1, Math.abs(value) / most) ** 0.8) : 0];
  });
}

function paint(canvas, values, colour) {
  const n = side(values);
  if (canvas.width !== n) canvas.width = canvas.height = n;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  values.forEach((value, i) => image.data.set(colour(value), 4 * i));
  context.putImageData(image, 0, 0);
}

const sheet = document.createElement("canvas");

/** Return the grey image as a URL, for an image in an SVG. */
export function greyUrl(values) {
  paintGrey(sheet, values);
  return sheet.toDataURL();
}

export function signedUrl(values) {
  paintSigned(sheet, values);
  return sheet.toDataURL();
}
