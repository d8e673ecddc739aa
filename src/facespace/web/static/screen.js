// What is on the screen: fetched again after a change, and by the screenful while one scrolls.

import { offerToShow } from "./asking.js";
import { ITEM, picked } from "./choosing.js";

const main = document.getElementById("main");

function keyOf(item) { return item?.dataset.face ?? item?.dataset.person; }

export async function refresh() {
  // What further screens have brought is not thrown away under the reader's eyes.
  if (document.querySelector("[data-loaded]")) { offerToShow(); return; }
  const here = keyOf(document.activeElement?.closest(ITEM));
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) { location.assign("/"); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (typing(document.activeElement) && main.contains(document.activeElement)) return;
  // A film plays on: of its page only the faces can have changed.
  if (document.getElementById("film")) main.querySelector(".faces").replaceWith(page.querySelector(".faces"));
  else main.replaceChildren(...page.getElementById("main").childNodes);
  document.querySelector("footer").replaceWith(page.querySelector("footer"));
  picked();
  observe();
  if (here) main.querySelector(`[data-face="${here}"] a, [data-person="${here}"].card a`)?.focus();
}

export function typing(element) { return Boolean(element?.matches?.("input:not([type=checkbox]), textarea")); }

export async function loadNames() {
  const answer = await fetch("/names");
  if (!answer.ok) return;
  const options = (await answer.json()).map(name => Object.assign(document.createElement("option"), { value: name }));
  document.getElementById("names").replaceChildren(...options);
}

// The next screenful comes when its link is nearly in sight.

const near = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) loadMore(entry.target);
}, { rootMargin: "1200px" });

export function observe() { for (const link of document.querySelectorAll(".more")) near.observe(link); }

async function loadMore(link) {
  near.unobserve(link);
  const address = new URL(link.href);
  address.searchParams.set("part", "true");
  const answer = await fetch(address);
  if (!answer.ok || !link.isConnected) return;
  const part = document.createRange().createContextualFragment(await answer.text());
  link.closest("[data-grid], .months")?.setAttribute("data-loaded", "");
  link.replaceWith(part);
  observe();
}
