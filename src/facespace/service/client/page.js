// The page: a camera or a photo, boxes over it, and who the gallery says they are.

import { openFaces } from "./facespace.js";

const ASK_EVERY_MS = 500; // the camera's faces are found as fast as they can be, and asked for twice a second
const SAME_FACE_IOU = 0.4;

const [form, camera, chooser, state, stage, list, worth, speed] =
  ["ask", "camera", "choose", "status", "stage", "faces", "worth", "speed"].map(id => document.getElementById(id));
const video = stage.querySelector("video"), canvas = stage.querySelector("canvas"), file = chooser.querySelector("input");
const shown = { answered: [], looks: [], turn: 0 };
let faces = null, stream = null, photo = null;

form.gallery.value = new URLSearchParams(location.search).get("gallery") ?? "";
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("change", () => { forget(); if (faces) tell("Ready."); if (photo) lookAtPhoto(); });
camera.addEventListener("click", () => (stream ? stop() : start()));
file.addEventListener("change", () => { photo = file.files[0]; file.value = ""; if (photo) lookAtPhoto(); });
document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", event => {
  event.preventDefault();
  photo = event.dataTransfer.files[0] ?? null;
  if (faces && photo) lookAtPhoto();
});
open();

async function open() {
  try {
    faces = await openFaces();
    camera.disabled = file.disabled = false;
    tell("Ready.");
  } catch (error) {
    tell(error.message, true);
  }
}

function tell(text, isTrouble = false) {
  state.textContent = text;
  state.classList.toggle("trouble", isTrouble);
}

async function start() {
  if (!navigator.mediaDevices) { tell("The browser gives no camera to this page: open it by https, or on this machine.", true); return; }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
  } catch (error) {
    tell(`No camera: ${error.message}`, true);
    return;
  }
  photo = null;
  video.srcObject = stream;
  await video.play();
  camera.textContent = "Stop camera";
  forget();
  follow(stream);
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = video.srcObject = null;
  camera.textContent = "Start camera";
}

/** What is answered to earlier questions counts no more. */
function forget() {
  Object.assign(shown, { answered: [], looks: [], turn: shown.turn + 1 });
  worth.textContent = "";
}

/** Frame by frame, as long as it is this camera. */
async function follow(mine) {
  let asked = 0, waits = false;
  while (stream === mine) {
    const look = await faces.find(video).catch(error => { tell(error.message, true); stop(); });
    if (!look || stream !== mine) return;
    show(video, look);
    if (!waits && look.found.length && performance.now() - asked > ASK_EVERY_MS) {
      waits = true;
      asked = performance.now();
      ask(look).finally(() => { waits = false; });
    }
    await new Promise(requestAnimationFrame);
  }
}

async function lookAtPhoto() {
  stop();
  forget();
  tell("Looking…");
  const mine = photo;
  try {
    const image = await createImageBitmap(mine), look = await faces.find(mine);
    if (photo !== mine) return;
    show(image, look);
    await ask(look);
    if (photo === mine && !stream) show(image, look);
  } catch (error) {
    tell(error.name === "InvalidStateError" ? "This browser cannot read the picture." : error.message, true);
  }
}

/** Who they are, if a gallery is named. */
async function ask(look) {
  const gallery = form.gallery.value.trim(), { turn } = shown;
  if (!gallery || !look.found.length) return;
  try {
    const answer = await faces.identify(gallery, look.found, { key: form.key.value });
    if (turn !== shown.turn) return;
    tell(count(look.found.length));
    shown.answered = look.found.map((face, i) => ({ box: face.box, ...answer.faces[i] }));
    worth.textContent = answer.meaning ?? "";
  } catch (error) {
    if (turn !== shown.turn) return;
    shown.answered = [];
    tell(error.message, true);
  }
}

function show(source, { found, width, height, ms }) {
  stage.hidden = false;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0, width, height);
  const known = found.map(face => shown.answered.find(other => overlap(face.box, other.box) > SAME_FACE_IOU));
  const unit = width / (canvas.clientWidth || width); // a pixel of the screen
  found.forEach((face, i) => draw(context, face, label(known[i]), unit));
  list.replaceChildren(...found.map((face, i) => item(face, known[i])));
  if (!state.classList.contains("trouble") || found.length === 0) tell(count(found.length));
  measure(ms, found.length);
}

const count = n => (n === 0 ? "No face in the picture." : n === 1 ? "1 face" : `${n} faces`);
const label = answer => (answer ? answer.subject ?? "unknown" : "");

function draw(context, { box: [x0, y0, x1, y1] }, text, unit) {
  const style = getComputedStyle(document.documentElement), { width, height } = context.canvas, high = 22 * unit;
  context.strokeStyle = style.getPropertyValue("--mark");
  context.lineWidth = 2.5 * unit;
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  if (!text) return;
  context.font = `600 ${14 * unit}px system-ui, sans-serif`;
  const across = context.measureText(text).width + 10 * unit, left = Math.max(Math.min(x0 - unit, width - across), 0);
  const top = y0 >= high ? y0 - high : Math.min(y1, height - high);
  context.fillStyle = context.strokeStyle;
  context.fillRect(left, top, across, high);
  context.fillStyle = style.getPropertyValue("--on-mark");
  context.fillText(text, left + 5 * unit, top + 16 * unit);
}

function item(face, answer) {
  const line = document.createElement("li"), name = document.createElement("b"), more = document.createElement("span");
  name.textContent = label(answer) || "face";
  more.className = "quiet";
  const [x0, y0, x1, y1] = face.box.map(Math.round);
  const distance = answer?.distance == null ? "" : ` · distance ${answer.distance.toFixed(2)}, limit ${answer.threshold.toFixed(2)}`;
  more.textContent = `${x1 - x0} × ${y1 - y0} px, score ${face.score.toFixed(2)}${distance}`;
  line.append(name, more);
  return line;
}

/** Medians of the last looks: the first one of a picture's size is slower. */
function measure(ms, n) {
  shown.looks = [...shown.looks, { ...ms, n }].slice(-15);
  const median = values => [...values].sort((a, b) => a - b)[values.length >> 1];
  const each = shown.looks.filter(look => look.n).map(look => look.embed / look.n);
  const embedding = each.length ? `, ${median(each).toFixed(1)} ms to embed a face` : "";
  const threads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  speed.textContent = `${median(shown.looks.map(look => look.detect)).toFixed(0)} ms to find the faces${embedding} `
    + `(${faces.detector.name}, ${faces.embedder.name}; WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"})`;
}

function overlap(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(w, 0) * Math.max(h, 0), area = box => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / Math.max(area(a) + area(b) - shared, 1e-9);
}
