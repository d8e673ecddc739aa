// The offline page: a face opens its photo with a box around it.

"use strict";
const viewer = document.querySelector(".viewer");
const photo = viewer.querySelector("img"), box = viewer.querySelector(".box"), link = viewer.querySelector("a");
const FACE = ".tile .face[data-shown]";  // a moment of a video is a plain link to it
let current = null;

function show(face) {
  current = face;
  const [left, top, width, height] = face.dataset.box.split(" ");
  photo.src = face.dataset.shown;
  photo.alt = face.getAttribute("aria-label");
  Object.assign(box.style, { left: left + "%", top: top + "%", width: width + "%", height: height + "%" });
  link.href = face.href;
  link.textContent = face.title;
  if (!viewer.open) viewer.showModal();
}

function step(by) {
  const faces = [...current.closest("section").querySelectorAll(FACE)];
  show(faces[(faces.indexOf(current) + by + faces.length) % faces.length]);
}

document.getElementById("main").addEventListener("click", event => {
  const face = event.target.closest(FACE);
  if (face && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); show(face); }
});
viewer.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button?.dataset.step) step(Number(button.dataset.step));
  else if (!event.target.closest("a, .boxed")) viewer.close();
});
viewer.addEventListener("keydown", event => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
viewer.addEventListener("close", () => { photo.removeAttribute("src"); current.focus(); });
