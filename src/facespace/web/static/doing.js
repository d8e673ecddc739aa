// What can be done with faces and people; the keys and buttons of the pages name these.

import { ask, begun, post, correct, tell } from "./asking.js";
import { clear, focusOn, gone, meant, personOf, pickedItems } from "./choosing.js";
import { refresh } from "./screen.js";

export const faces = list => list.map(item => item.dataset.face).filter(Boolean);
export const people = list => list.map(item => item.dataset.person).filter(Boolean);
const leave = async (list, done) => {
  if (!(await done)) return;
  const { page } = document.body.dataset;
  if (page !== "photo") await gone(list);
  if (page === "photo" || page === "person") await refresh();
};

export const DO = {
  async confirm(from) {
    const list = meant(from), person = personOf(list[0]);
    if (list.length && person) await leave(list, correct("confirm", { person, faces: faces(list) }));
  },
  async reject(from) {
    const list = meant(from), person = personOf(list[0]);
    if (list.length && person) await leave(list, correct("reject", { person, faces: faces(list) }));
  },
  async "not-a-face"(from) {
    const list = meant(from);
    if (faces(list).length) await leave(list, correct("not-a-face", { faces: faces(list) }));
  },
  async "confirm-all"(from) {
    if (await correct("confirm", { person: personOf(from) })) await refresh();
  },
  async split(from) {
    const list = meant(from), person = personOf(list[0]);
    if (faces(list).length && await correct("split", { person, faces: faces(list) })) await gone(list);
  },
  async merge() {
    // Into the one with a name, else the largest, which stands first.
    const list = pickedItems();
    if (list.length < 2) return;
    const into = list.find(item => item.querySelector(".naming input")?.defaultValue) ?? list[0];
    await merge(into, list.filter(item => item !== into));
  },
  async apart() {
    const [person, other] = people(pickedItems());
    if (other && await correct("apart", { person, others: [other] })) clear();
  },
  async same(from) {
    const other = from.closest("[data-like]").dataset.like;
    if (await correct("merge", { person: personOf(from), others: [other] })) await refresh();
  },
  async different(from) {
    const other = from.closest("[data-like]").dataset.like;
    if (await correct("apart", { person: personOf(from), others: [other] })) await refresh();
  },
  async hide(from) { await hideOrShow(from, true); },
  async unhide(from) { await hideOrShow(from, false); },
  async forget(from) {
    const person = personOf(from);
    const title = document.querySelector(".who h1").textContent;
    const sure = await ask(`Forget ${title}? The name, the faces and their templates are removed from the library; `
      + "the photos stay. This cannot be undone.", "Forget");
    if (sure && await correct("forget", { person })) location.assign("/");
  },
  async undo(from) {
    const entry = from?.dataset.entry;
    if (await correct("undo", entry ? { entry: Number(entry) } : {})) location.reload();
  },
  async scan() {
    try { await post("/scan"); tell("Looking for new photos"); begun(); } catch (error) { tell(error.message, { trouble: true }); }
  },
  play(from) {
    const film = document.getElementById("film"), at = from?.closest("[data-at]")?.dataset.at;
    if (!film || at === undefined) return;
    film.currentTime = Number(at);
    film.play().catch(() => {});  // a browser may want a click on the video itself
  },
  show() { location.reload(); },
  help() { document.getElementById("help").showModal(); },
  clear,
};

async function hideOrShow(from, hidden) {
  const list = pickedItems();
  if (!list.length) {
    if (await correct("hide", { person: personOf(from), hidden })) await refresh();
    return;
  }
  const done = [];
  for (const item of list) if (await correct("hide", { person: item.dataset.person, hidden })) done.push(item);
  await gone(done);
}

export async function merge(into, others) {
  if (!(await correct("merge", { person: into.dataset.person, others: people(others) }))) return;
  for (const item of others) item.remove();
  clear();
  const answer = await fetch(`/people/${into.dataset.person}/card`);
  if (answer.ok) {
    into.replaceWith(document.createRange().createContextualFragment(await answer.text()));
    focusOn(document.querySelector(`.card[data-person="${into.dataset.person}"]`));
  }
}
