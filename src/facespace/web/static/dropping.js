// A card dropped on another is the same person; a photo dropped on the search page is searched for.

import { post, tell } from "./asking.js";
import { pickedItems } from "./choosing.js";
import { merge } from "./doing.js";

const main = document.getElementById("main");
let dragged = null;
main.addEventListener("dragstart", event => {
  dragged = event.target.closest(".card");
  if (!dragged) return;
  dragged.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.title);
});
main.addEventListener("dragend", () => {
  for (const card of main.querySelectorAll(".dragged, .over")) card.classList.remove("dragged", "over");
  dragged = null;
});
main.addEventListener("dragover", event => {
  const target = event.target.closest(dragged ? ".card" : ".drop");
  for (const other of main.querySelectorAll(".over")) if (other !== target) other.classList.remove("over");
  if (!target || target === dragged) return;
  event.preventDefault();
  target.classList.add("over");
});
main.addEventListener("drop", event => {
  const target = event.target.closest(dragged ? ".card" : ".drop");
  if (!target || target === dragged) return;
  event.preventDefault();
  target.classList.remove("over");
  if (!dragged) { searchPhoto(event.dataTransfer.files[0]); return; }
  const chosen = pickedItems();
  merge(target, (chosen.includes(dragged) ? chosen : [dragged]).filter(card => card !== target));
});
document.querySelector("#upload input")?.addEventListener("change", event => searchPhoto(event.target.files[0]));

async function searchPhoto(file) {
  if (!file) return;
  const most = Number(document.getElementById("upload").dataset.mostBytes);
  if (file.size > most) { tell(`The photo is larger than ${Math.floor(most / 2 ** 20)} MB.`, { trouble: true }); return; }
  const found = document.getElementById("found");
  found.replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: "Searching…" }));
  try {
    const answer = await post("/search/photo", file, { "Content-Type": "application/octet-stream" });
    found.replaceChildren(document.createRange().createContextualFragment(await answer.text()));
  } catch (error) {
    found.replaceChildren();
    tell(error.message, { trouble: true });
  }
}
