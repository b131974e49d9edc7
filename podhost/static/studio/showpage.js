// Makes the pages of a show's settings better: lists that grow, addresses that are copied, and what
// is under way told without a reload. All of them work without it.

import { call } from "./api.js";
import { attachLists } from "./row_lists.js";
import { say } from "./words.js";

const LOOK_EVERY_MS = 1500;

// Lists ------------------------------------------------------------------------------------------

attachLists(document, changed);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});

// Nothing that was typed is lost by leaving -------------------------------------------------------

const form = document.querySelector("form.settings");
let isChanged = false;

function changed(inside) {
  if (!form?.contains(inside)) return;
  isChanged = true;
  form.classList.add("changed");
}

form?.addEventListener("input", (event) => changed(event.target));
addEventListener("submit", (event) => {
  isChanged = false;
  const busy = event.target.dataset.busy;
  const button = event.submitter || event.target.querySelector("button");
  if (busy && button) {
    // After the form was sent, or the button's own value would not be in it.
    setTimeout(() => { button.disabled = true; button.textContent = busy; });
  }
});
addEventListener("beforeunload", (event) => { if (isChanged) event.preventDefault(); });
// Back in the browser's history shows the page as it was left.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

document.querySelector("[data-focus]")?.focus();
openAround(location.hash);
addEventListener("hashchange", () => openAround(location.hash));

/** What a link leads to may be folded away. */
function openAround(hash) {
  const target = hash ? document.getElementById(decodeURIComponent(hash.slice(1))) : null;
  const folded = target?.closest("details:not([open])");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
}

// Copying ----------------------------------------------------------------------------------------

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // Without a secure context there is no clipboard; the text is selected for Ctrl+C.
    if (!document.execCommand("copy")) return;
  }
  const before = [...button.childNodes];
  button.textContent = button.dataset.copied;
  setTimeout(() => button.replaceChildren(...before), 2000);
}

// What is under way ------------------------------------------------------------------------------

async function followImport(place) {
  const find = (name) => place.querySelector(`[data-${name}]`);
  const bar = place.querySelector("progress");
  const look = async () => {
    const found = await call("GET", `/imports/${place.dataset.import}?episodes=none`);
    const { done, failed, total } = found.episodes;
    find("state").textContent = say(found.state);
    find("counts").textContent = say("of", { done, total });
    find("size").textContent = size(found.size_bytes);
    find("failed").hidden = !failed;
    find("failed").textContent = `· ${say("some_failed", { num: failed })}`;
    bar.max = total || 1;
    bar.value = done + failed;
    return found.state === "done" || found.state === "failed";
  };
  await until(look);
}

async function followArchive(place) {
  await wait(async () => {
    const { state, done, total } = await call("GET", place.dataset.archive);
    if (total) {
      place.querySelector("[data-counts]").textContent = say("packing", { done, total });
      const bar = place.querySelector("progress");
      bar.max = total;
      bar.value = done;
    }
    return state === "ready" || state === "failed";
  });
  // Nothing else on the page changes: an address may be half typed.
  await renew("archive", place);
}

async function followMove(place) {
  await until(async () => (await call("GET", `/shows/${place.dataset.move}/move`)).checked_at !== null);
}

/** Looks again and again until it is over, and then shows the page anew. */
async function until(look) {
  await wait(look);
  location.reload();
}

async function wait(look) {
  for (;;) {
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
    try {
      if (await look()) break;
    } catch (error) {
      // A server that restarts is back in a moment; whoever was signed out must sign in.
      if (error.status === 401) break;
    }
  }
}

/** Puts what a part of the page says by now in its place; it is found by its id. */
async function renew(id, place) {
  const page = await fetch(location.href, { credentials: "same-origin" });
  const found = new DOMParser().parseFromString(await page.text(), "text/html");
  const fresh = found.getElementById(id);
  if (fresh) place.replaceWith(fresh);
  else location.reload();
}

function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(0)} kB`;
}

/** The doctor looks at a large feed while the page is read already. */
async function askDoctor(place) {
  try {
    await call("GET", place.dataset.ask);
    const page = await fetch(location.href, { credentials: "same-origin" });
    const found = new DOMParser().parseFromString(await page.text(), "text/html");
    const fresh = found.getElementById("doctor");
    if (fresh && !fresh.dataset.ask) {
      // On the settings it is folded; what was opened meanwhile stays open.
      if (place.open) fresh.open = true;
      place.replaceWith(fresh);
    }
  } catch {
    // The link beside it leads to the same.
  }
}

const place = (name) => document.querySelector(`[data-${name}]`);
if (place("import")) followImport(place("import"));
if (place("archive")) followArchive(place("archive"));
if (place("move")) followMove(place("move"));
if (place("ask")) askDoctor(place("ask"));
