// Drawings: strokes, each a list of points on a 256×256 grid so that they fit into a URL, and their 112×112 grey pixels.

import { base64 } from "./dom.js";

export const GRID = 256;
export const SIDE = 112; // pixels per side of the image sent to the server
const PEN = 20; // on the grid: as thick as MNIST's strokes once a digit is scaled to 20 pixels
const MOST = 250; // points per stroke: their number is one byte in the URL

/** The 2 that draws itself when the page opens. It is narrow and leans, and the trained network takes it for a 7. */
export const demo = [
  [[92, 86], [92, 71], [95, 58], [102, 49], [111, 45], [121, 46], [132, 53], [140, 66], [146, 83], [147, 100], [144, 116], [139, 131], [132, 146], [124, 161], [116, 176], [108, 189], [103, 200], [114, 201], [125, 201], [138, 203], [151, 207], [164, 211]],
];

const small = document.createElement("canvas");
small.width = small.height = SIDE;
const pen = small.getContext("2d", { willReadFrequently: true });

/** Return 12,544 bytes, 0 for the background and 255 for ink. */
export function pixels(strokes) {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, SIDE, SIDE);
  trace(pen, strokes, SIDE / GRID);
  const rgba = pen.getImageData(0, 0, SIDE, SIDE).data;
  const grey = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < grey.length; i++) grey[i] = rgba[4 * i];
  return grey;
}

/** Return an image as the field of a request. */
export function imageField(image) {
  return image.split ? { split: image.split, index: image.index } : { drawing: base64(pixels(image.strokes)) };
}

/** Return the same field, deflated, for a history with many images. */
export async function packedField(image) {
  if (image.split) return imageField(image);
  const packed = new Blob([pixels(image.strokes)]).stream().pipeThrough(new CompressionStream("deflate"));
  return { drawing: base64(new Uint8Array(await new Response(packed).arrayBuffer())) };
}

/** Draw the strokes on a canvas context. */
export function trace(context, strokes, scale) {
  context.strokeStyle = context.fillStyle = "#fff";
  context.lineWidth = PEN * scale;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * scale, stroke[0][1] * scale);
    // Curves between the midpoints of segments, with the points as controls, look hand-drawn.
    stroke.slice(1, -1).forEach(([x, y], i) => {
      const [nextX, nextY] = stroke[i + 2];
      context.quadraticCurveTo(x * scale, y * scale, ((x + nextX) / 2) * scale, ((y + nextY) / 2) * scale);
    });
    context.lineTo(stroke.at(-1)[0] * scale, stroke.at(-1)[1] * scale);
    context.stroke();
  }
}

/** Add a point to the last stroke, or start a new stroke if `down` is set or the last is full. */
export function add(strokes, x, y, down) {
  const point = [x, y].map((value) => Math.max(0, Math.min(GRID - 1, Math.round(value))));
  const last = strokes.at(-1);
  if (down || !last) strokes.push([point]);
  else if (last.length >= MOST) strokes.push([last.at(-1), point]);
  else if (Math.hypot(point[0] - last.at(-1)[0], point[1] - last.at(-1)[1]) >= 3) last.push(point);
  else return false;
  return true;
}
