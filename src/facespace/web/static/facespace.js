// Clicks and keys. Every correction is one request; what it changed is then fetched again.

import { clear, ITEM, pick, pickedItems, step } from "./choosing.js";
import { DO } from "./doing.js";
import "./dropping.js";
import { submitName } from "./naming.js";
import { loadNames, observe, typing } from "./screen.js";
import "./watching.js";

document.addEventListener("click", event => {
  const button = event.target.closest("[data-do]");
  if (button) { event.preventDefault(); DO[button.dataset.do](button); return; }
  const check = event.target.closest(".pick input");
  if (check) { pick(check.closest(ITEM), check.checked, event.shiftKey); return; }
  const item = event.target.closest(ITEM);
  if (item && pickedItems().length && event.target.closest("a.face")) {
    event.preventDefault();
    pick(item, !item.classList.contains("picked"), event.shiftKey);
  }
  const shows = event.target.closest("[data-shows]");
  if (shows) document.getElementById(shows.dataset.shows)?.querySelector("input")?.focus();
});

document.addEventListener("submit", event => {
  const form = event.target;
  if (!form.matches(".naming, #upload")) return;
  event.preventDefault();
  if (form.matches(".naming")) submitName(form);
});

const KEYS = {
  y: "confirm", n: "reject", f: "not-a-face", s: "split", m: "merge", p: "play", u: "undo", "?": "help",
};

document.addEventListener("keydown", event => {
  const at = event.target;
  if (event.key === "Escape") {
    if (typing(at)) { at.value = at.defaultValue; at.blur(); } else clear();
    document.getElementById("toast").hidden = true;
    return;
  }
  if (typing(at) || document.querySelector("dialog[open]") || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "z") { event.preventDefault(); DO.undo(); }
    return;
  }
  const item = at.closest?.(ITEM);
  if (event.key === "/") { event.preventDefault(); document.querySelector(".find input").focus(); }
  else if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    document.querySelector(event.key === "ArrowLeft" ? "a[rel=prev]" : "a[rel=next]")?.click();
  } else if (event.key.startsWith("Arrow")) { if (step(item, event.key)) event.preventDefault(); }
  else if (event.key.toLowerCase() === "x" && item) pick(item, !item.classList.contains("picked"), event.shiftKey);
  else if (event.key === "r") {
    const input = item?.querySelector(".naming input") ?? document.querySelector(".who .naming input");
    if (input) { event.preventDefault(); input.focus(); input.select(); }
  } else if (KEYS[event.key]) { event.preventDefault(); DO[KEYS[event.key]](at); }
});

observe();
loadNames();
document.querySelector(".row-face.chosen")?.scrollIntoView({ block: "nearest" });
