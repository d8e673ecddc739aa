// Requests to the server, messages to people, and questions.

const csrf = document.querySelector('meta[name="csrf"]').content;
const toast = document.getElementById("toast");

export async function post(path, body, headers = { "Content-Type": "application/json" }) {
  const answer = await fetch(path, { method: "POST", body, headers: { ...headers, "X-Facespace": csrf } });
  if (answer.ok) return answer;
  const text = await answer.text();
  let why = { error: text };
  try { why = JSON.parse(text); } catch { /* a plain line */ }
  throw Object.assign(new Error(why.error ?? text), why);
}

// Send a correction; returns whether it was accepted.
export async function correct(action, correction, { quiet = false } = {}) {
  try {
    const { entry } = await (await post(`/say/${action}`, JSON.stringify(correction))).json();
    if (!quiet) tell(entry ? entry.what : "Nothing to change", { undo: Boolean(entry) && action !== "forget" });
    begun();
    return true;
  } catch (error) {
    if (error.namesake !== undefined) return askToMerge(correction, error.namesake);
    tell(error.message, { trouble: true });
    return false;
  }
}

// Something was changed or begun, so that the state of the server is worth a look; watching.js listens.
export function begun() { document.dispatchEvent(new Event("begun")); }

async function askToMerge(correction, namesake) {
  if (!(await ask(`There is already a person called ${correction.name}. Merge the two?`, "Merge"))) return false;
  return correct("merge", { person: namesake, others: [correction.person] });
}

let toastTimer = 0;
export function tell(text, { undo = false, trouble = false } = {}) {
  clearTimeout(toastTimer);
  toast.querySelector("span").textContent = text;
  toast.querySelector('[data-do="undo"]').hidden = !undo;
  toast.querySelector('[data-do="show"]').hidden = true;
  toast.classList.toggle("trouble", trouble);
  toast.hidden = false;
  toastTimer = setTimeout(() => { toast.hidden = true; }, trouble ? 12000 : 7000);
}

// Beside the message that is shown, so that its Undo stays at hand.
export function offerToShow() {
  if (toast.hidden) tell("The groups have changed.");
  toast.querySelector('[data-do="show"]').hidden = false;
}

export function ask(text, yes) {
  const dialog = document.getElementById("ask");
  dialog.querySelector("p").textContent = text;
  dialog.querySelector('[value="yes"]').textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
