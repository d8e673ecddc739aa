// Names that are typed below a face.

import { correct } from "./asking.js";
import { gone, personOf, pickedItems } from "./choosing.js";
import { faces } from "./doing.js";
import { loadNames, refresh } from "./screen.js";

export async function submitName(form) {
  const input = form.elements.name, name = input.value.trim();
  if (!name || name === input.defaultValue) { input.value = input.defaultValue; input.blur(); return; }
  input.blur();
  if (form.classList.contains("these")) return nameThese(form, name);
  const face = form.closest("[data-face]"), person = form.dataset.namePerson ?? face?.dataset.of;
  const known = await isKnown(name);
  // A face of a photo is meant by itself where it joins somebody or leaves a person who has a name.
  const alone = face && (known || input.defaultValue || !person);
  const done = await (!alone ? correct("name", { person, name })
    : known ? correct("confirm", { person: name, faces: faces([face]) })
    : correct("split", { person, faces: faces([face]), name }));
  if (!done) { input.value = input.defaultValue; return; }
  input.defaultValue = name;
  loadNames();
  await refresh();
}

async function nameThese(form, name) {
  const list = pickedItems(), person = personOf(list[0]);
  const done = await isKnown(name) ? correct("confirm", { person: name, faces: faces(list) })
    : correct("split", { person, faces: faces(list), name });
  if (!(await done)) return;
  form.reset();
  loadNames();
  await gone(list);
}

async function isKnown(name) {
  const answer = await fetch("/names");
  const known = answer.ok ? await answer.json() : [];
  return known.some(one => one.localeCompare(name, undefined, { sensitivity: "accent" }) === 0);
}
