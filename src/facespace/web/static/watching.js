// What the server does while pages are open: scans, and groups again.

import { tell } from "./asking.js";
import { pickedItems } from "./choosing.js";
import { refresh, typing } from "./screen.js";

let rounds = Number(document.body.dataset.rounds);
let hurry = 0;
let watching = 0;
let shownTrouble = null;

// Look often for a while.
function watchClosely(after = 500) {
  hurry = 8;
  clearTimeout(watching);
  watching = setTimeout(watch, after);
}

document.addEventListener("begun", () => watchClosely());
watchClosely(1000);

async function watch() {
  clearTimeout(watching);
  let state = null;
  if (!document.hidden) {
    try {
      const answer = await fetch("/state");
      state = answer.ok ? await answer.json() : null;
    } catch { /* the server has stopped */ }
  }
  if (state) await show(state);
  hurry -= 1;
  watching = setTimeout(watch, state?.doing || state?.grouping || hurry > 0 ? 700 : 4000);
}

async function show(state) {
  const scan = document.getElementById("scan");
  scan.hidden = !state.doing;
  document.querySelector('[data-do="scan"]').disabled = Boolean(state.doing);
  scan.querySelector("progress").max = state.todo || 1;
  scan.querySelector("progress").value = state.done;
  scan.querySelector("span").textContent = state.doing + (state.todo ? `: ${state.done} of ${state.todo}` : "");
  if (state.trouble && state.trouble !== shownTrouble) tell(state.trouble, { trouble: true });
  shownTrouble = state.trouble;
  if (state.rounds === rounds || state.grouping) return;
  rounds = state.rounds;
  if (!typing(document.activeElement) && !pickedItems().length && !document.querySelector("dialog[open]")) await refresh();
}
