// Selecting faces and people, and moving from one to the next.

export const ITEM = "[data-face], [data-person]:is(.card)";
const actions = document.getElementById("actions");
let lastPicked = null;

export function items() { return [...document.querySelectorAll(ITEM)]; }
export function pickedItems() { return [...document.querySelectorAll(".picked")]; }

export function pick(item, on, range = false) {
  const box = item.querySelector(".pick input");
  if (!box) return;
  const all = items();
  const from = range && lastPicked?.isConnected ? all.indexOf(lastPicked) : all.indexOf(item);
  const to = all.indexOf(item);
  for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) {
    one.classList.toggle("picked", on);
    const check = one.querySelector(".pick input");
    if (check) check.checked = on;
  }
  lastPicked = item;
  picked();
}

export function picked() {
  const n = pickedItems().length;
  document.body.classList.toggle("picking", n > 0);
  actions.hidden = n === 0;
  actions.querySelector(".n").textContent = `${n} selected`;
  for (const button of actions.querySelectorAll("[data-least]")) {
    button.disabled = n < Number(button.dataset.least) || n > Number(button.dataset.most ?? Infinity);
  }
}

export function clear() {
  for (const item of pickedItems()) pick(item, false);
}

// What a key or button is about: the selection, else the focused item.
export function meant(from) {
  const chosen = pickedItems();
  const one = from?.closest(ITEM);
  return chosen.length ? chosen : one ? [one] : [];
}

export function personOf(item) {
  const as = item?.closest("[data-as]")?.dataset.as;
  return as ?? item?.dataset.of ?? item?.closest("[data-person]")?.dataset.person
    ?? document.querySelector(".who[data-person]")?.dataset.person;
}

export async function gone(list) {
  const all = items();
  const inHand = document.activeElement?.closest(ITEM);
  const at = inHand && list.includes(inHand) ? all.indexOf(inHand) : -1;
  const rest = all.filter(item => !list.includes(item));
  for (const item of list) item.remove();
  picked();
  if (at >= 0) focusOn(rest[Math.min(at - all.slice(0, at).filter(i => list.includes(i)).length, rest.length - 1)]);
}

export function focusOn(item) { item?.querySelector("a.face, a.photo")?.focus(); }

// The neighbour in sight: in a grid, up and down are whole rows away.
export function step(item, key) {
  const all = items();
  if (!all.length) return false;
  if (!item) { focusOn(all[0]); return true; }
  const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const next = by ? all[all.indexOf(item) + by] : inNextRow(all, item, key === "ArrowDown" ? 1 : -1);
  if (!next) return false;
  focusOn(next);
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function inNextRow(all, item, direction) {
  const here = item.getBoundingClientRect();
  let best = null, least = Infinity;
  for (const other of all) {
    const there = other.getBoundingClientRect();
    const down = (there.top - here.top) * direction;
    if (down < here.height / 2) continue;
    const far = down * 4 + Math.abs(there.left - here.left);
    if (far < least) { least = far; best = other; }
  }
  return best;
}
