// Faces in the browser: found, aligned and embedded here, so that a picture need not leave the device.
//
//   import { openFaces } from "https://host/client/facespace.js";
//   const faces = await openFaces();
//   const { found } = await faces.find(photo);         // File, Blob, <img>, <video>, <canvas>, ImageBitmap or ImageData
//   const answer = await faces.identify("team", found, { key });  // sends 128 bytes a face, and nothing else
//
// Each found face is { box, landmarks, score, embedding, bytes }: pixels of the picture, a Float32Array of unit length,
// and its byte form as an Int8Array, as galleries keep it. Numbers agree with Python's: `tests/service` compares them.

import { align } from "./align.js";
import { scaled } from "./detections.js";
import { Detector } from "./detector.js";
import { reduce, round, shrink } from "./pixels.js";

const LONGEST_PX = 1280; // faces are cut out of the picture at this size; see `faces/tiles.py`
const BYTE_LIMIT = 127;

/**
 * Load the runtime and the two models.
 *
 * base: address of the service's `/client/`; where this file came from if absent.
 * threads: of the processor; more than one need a page that is cross-origin isolated, as `/client` is.
 */
export async function openFaces({ base = new URL(".", import.meta.url).href, threads = defaultThreads() } = {}) {
  const from = path => new URL(path, base).href;
  const [ort, { detector, embedder }] = await Promise.all([openRuntime(from), readJson(from("models.json"))]);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { wasm: from("runtime/ort-wasm-simd-threaded.wasm") };
  checkEmbedder(embedder);
  const detect = await openSession(ort, from(detector.file));
  const embed = await openSession(ort, from(embedder.file));
  return new Faces(new Detector(detector, detect.run), embedder, embed.run, new URL("../", base).href);
}

class Faces {
  constructor(detector, embedder, run, service) {
    Object.assign(this, { detector, embedder, run, service });
  }

  /** Faces in a picture, the surest first, and the milliseconds that it took to read, find and embed them. */
  async find(source) {
    const t0 = performance.now(), whole = await pixelsOf(source), picture = shrink(await drafted(whole, source), LONGEST_PX);
    const t1 = performance.now(), faces = await this.detector.detect(picture);
    const t2 = performance.now(), found = [];
    const scale = Math.max(whole.width, whole.height) / Math.max(picture.width, picture.height);
    for (const face of faces) {
      const embedding = await this.embed(align(picture, face.landmarks, this.embedder.input_hw[0]));
      found.push({ ...scaled(face, scale), embedding, bytes: toBytes(embedding, this.embedder.byte_scale) });
    }
    return { found, width: whole.width, height: whole.height, ms: { read: t1 - t0, detect: t2 - t1, embed: performance.now() - t2 } };
  }

  /** The embedding of an aligned crop of the embedder's size: a Float32Array of unit length. */
  async embed(crop) {
    const { mean, std, input_hw: [rows, columns], colour } = this.embedder, plane = rows * columns;
    const pixels = new Float32Array(3 * plane), order = colour === "RGB" ? [0, 1, 2] : [2, 1, 0];
    const one = (values, c) => Array.isArray(values) ? values[c] : values;
    order.forEach((from, c) => {
      const shift = one(mean, c), factor = Math.fround(1 / one(std, c));
      for (let i = 0; i < plane; i++) pixels[c * plane + i] = (crop.data[4 * i + from] - shift) * factor;
    });
    const { data } = Object.values(await this.run(pixels, [1, 3, rows, columns]))[0];
    const length = Math.max(Math.hypot(...data), 1e-12);
    return Float32Array.from(data, v => v / length);
  }

  /** Who each face is, in the order of `found`: what `POST /v1/galleries/{gallery}/identify` answers. */
  async identify(gallery, found, { key, fpir } = {}) {
    const body = { model: this.embedder.sha256, embeddings: found.map(face => base64(face.bytes)) };
    const headers = { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const address = new URL(`v1/galleries/${encodeURIComponent(gallery)}/identify${fpir ? `?fpir=${fpir}` : ""}`, this.service);
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
    const reply = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(reply.detail ?? reply.title ?? `the service answered ${answer.status}`);
    return reply;
  }
}

/** A byte a component, as `facespace.embed.quantise` makes them. */
export function toBytes(embedding, byteScale) {
  const scale = Math.fround(byteScale);
  return Int8Array.from(embedding, v => Math.min(Math.max(round(Math.fround(v * scale)), -BYTE_LIMIT), BYTE_LIMIT));
}

export function base64(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
}

function defaultThreads() {
  return globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency ?? 1) : 1;
}

async function openRuntime(from) {
  try {
    return await import(from("runtime/ort.wasm.bundle.min.mjs"));
  } catch (error) {
    throw new Error("the browser's runtime is missing on the server: run `make client` where its source lies", { cause: error });
  }
}

async function readJson(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: expected the models, the service answered ${answer.status}`);
  return answer.json();
}

async function openSession(ort, address) {
  const session = await ort.InferenceSession.create(address, { executionProviders: ["wasm"] });
  const [name] = session.inputNames;
  return { run: (values, shape) => session.run({ [name]: new ort.Tensor("float32", values, shape) }) };
}

function checkEmbedder({ name, scaling, alignment, input_layout: layout }) {
  if (scaling !== "fixed" || alignment !== "similarity" || layout !== "NCHW") {
    throw new Error(`${name}: expected an embedder of aligned crops with fixed scaling, met ${scaling}, ${alignment}, ${layout}`);
  }
}

/** Large JPEGs about as the server's decoder reduces them, by 2, 4 or 8: its pixels are not quite these means. */
async function drafted(picture, source) {
  const scale = LONGEST_PX / Math.max(picture.width, picture.height);
  const most = Math.min(...[picture.width, picture.height].map(side => Math.floor(side / Math.ceil(side * scale))));
  const factor = [8, 4, 2].find(by => by <= most);
  if (!factor || !(source instanceof Blob)) return picture;
  const [a, b] = new Uint8Array(await source.slice(0, 2).arrayBuffer());
  return a === 0xff && b === 0xd8 ? reduce(picture, factor) : picture;
}

/** Upright pixels as they are stored, without colour management, transparency on white. */
async function pixelsOf(source) {
  if (source instanceof ImageData) return source;
  const drawn = source instanceof Blob
    ? await createImageBitmap(source, { colorSpaceConversion: "none", imageOrientation: "from-image" })
    : source;
  const width = drawn.videoWidth || drawn.naturalWidth || drawn.width, height = drawn.videoHeight || drawn.naturalHeight || drawn.height;
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(drawn, 0, 0, width, height);
  if (source instanceof Blob) drawn.close();
  return context.getImageData(0, 0, width, height);
}
