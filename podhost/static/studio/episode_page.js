// The episode page: wires the form to what keeps it (edit_session.js) and shows what others do.

import { call } from "./api.js";
import { attachAudio } from "./audio_card.js";
import { EditSession } from "./edit_session.js";
import { fieldOf, findTag, readField, showField, wordsOf } from "./episode_fields.js";
import { attachPreview, attachTabs, attachToolbar } from "./notes_editor.js";
import { PeopleRows } from "./people_rows.js";
import { attachLists } from "./row_lists.js";
import { readTag, showTagErrors, showUnread } from "./tag_fields.js";
import { say } from "./words.js";

const HEARTBEAT_MS = 20_000;

const form = document.querySelector("#episode-form");
const paths = form.dataset;
const started = JSON.parse(document.querySelector("#edit").textContent);
const session = new EditSession(paths.pathEdit, started, `podhost-edit-${paths.episode}-${paths.account}`);
const live = document.querySelector("#live");
const announce = (sentence) => {
  live.textContent = sentence;
};

const people = new PeopleRows(
  form.querySelector("[data-people]"),
  document.querySelector("#person-row"),
  announce,
  { people: paths.pathPeople, pictures: paths.pathPictures },
);
const player = document.querySelector("#player");
const notes = form.elements.notes;
attachToolbar(form.querySelector("[data-toolbar]"), notes, () => player?.currentTime ?? 0);
attachTabs(form.querySelector("[data-tabs]"), form.querySelector("[data-panes]"));
const preview = attachPreview(
  form.querySelector("[data-preview]"),
  form.querySelector("[data-preview-note]"),
  notes,
  paths.pathPreview,
  () => readField(form, "people").filter((person) => person.name),
);
preview();

const isUploading = attachAudio(
  document.querySelector("#audio-file"),
  document.querySelector("#audio-note"),
  { show: paths.show, episode: paths.episode },
  () => session.flush(),
);

// Typing

// Fields in which stands what cannot be a value.
const unread = new Set();

function touch(name) {
  const value = readField(form, name);
  if (value === undefined) {
    unread.add(name);
    if (findTag(form, name)) showUnreadTag(name);
    else showError(name, say("not_a_number"));
    drawState();
    return;
  }
  if (unread.delete(name)) showErrors(session.edit.errors);
  if (name === "people") preview();
  drawUsed();
  session.touch(name, value);
}

form.addEventListener("input", (event) => {
  const name = event.target.type === "file" ? null : fieldOf(event.target);
  if (name) touch(name);
  count(event.target);
});
form.addEventListener("people", () => touch("people"));
attachLists(form, (element) => {
  if (fieldOf(element)) touch(fieldOf(element));
});
form.addEventListener("focusout", (event) => {
  const name = fieldOf(event.target);
  if (unread.has(name) && findTag(form, name)) showUnreadTag(name, event.relatedTarget);
});

/** An empty input is not complained of while somebody may be about to come to it. */
function showUnreadTag(name, focused = document.activeElement) {
  const tag = findTag(form, name);
  const wrong = readTag(tag).unread.filter(
    (input) => input.value || !(input.closest("[data-entry]") ?? input).contains(focused),
  );
  showUnread(tag, wrong, say("no_number"));
}

/** Beside the heading of what is folded away: which of it is said. */
function drawUsed() {
  const used = [...form.querySelectorAll("[data-tag]")].filter((tag) => {
    const { value } = readTag(tag);
    return Array.isArray(value) ? value.length : value;
  });
  form.querySelector("[data-used]").textContent = used.map((tag) => tag.dataset.label).join(", ");
}
form.querySelector("[data-add-person]").addEventListener("click", (event) => {
  event.preventDefault();
  people.add();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    session.flush();
  }
});

function count(input) {
  const counter = input.dataset?.most && form.querySelector(`[data-count="${input.name}"]`);
  if (!counter) return;
  const [length, most] = [[...input.value].length, Number(input.dataset.most)];
  counter.textContent = `${length} / ${most}`;
  counter.classList.toggle("is-over", length > most);
}
form.querySelectorAll("[data-most]").forEach(count);

// What became of it

const stateLine = document.querySelector("#save-state");
const time = (moment) =>
  moment.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

function drawState() {
  stateLine.dataset.state = session.state;
  const state = {
    saved: () => (session.savedAt ? say("saved_at", { time: time(session.savedAt) }) : say("kept")),
    typing: () => say("typing"),
    saving: () => say("saving"),
    offline: () => say("offline"),
    failed: () => say(session.error?.status === 401 ? "signed_out" : "failed", {
      reason: session.error?.message ?? "",
    }),
  }[session.state]();
  const isWrong = unread.size > 0 || Object.keys(session.edit.errors).length > 0;
  stateLine.textContent = isWrong && session.state === "saved" ? say("look", { state }) : state;
}
session.addEventListener("state", drawState);

session.addEventListener("edit", ({ detail: { before, edit, sent } }) => {
  form.elements.version.value = edit.version;
  for (const name of Object.keys(edit.values)) {
    const isOurs = sent.includes(name) || session.isTouched(name) || name in edit.copy;
    if (isOurs || same(before.values[name], edit.values[name]) || !(name in fields())) continue;
    put(name, edit.values[name]);
    // The address of a draft follows the title that was typed here.
    if (name === "slug" && sent.includes("title")) continue;
    announce(say("merged", { field: fields()[name] }));
  }
  showErrors(edit.errors);
  showConflicts(edit.conflicts);
  showOthers(edit.others);
  showSuggested(edit.suggested);
  const isWaiting = !edit.is_direct && Object.keys(edit.copy).length > 0;
  for (const part of document.querySelectorAll("[data-waiting]")) part.hidden = !isWaiting;
});

function put(name, value) {
  if (name === "people") people.show(value);
  else showField(form, name, value);
  drawUsed();
  if (form.elements[name]?.dataset?.most) count(form.elements[name]);
}

function fields() {
  const labels = {};
  for (const part of form.querySelectorAll("[data-field]")) labels[part.dataset.field] = part.dataset.label;
  return labels;
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

// What is wrong

function showError(path, sentence) {
  const name = path.split(/[.[]/)[0];
  const part = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const place = part?.querySelector("[data-error]");
  if (!place) return;
  const row = /^people\[(\d+)\]/.exec(path);
  place.textContent = row ? `${Number(row[1]) + 1}: ${sentence}` : sentence;
  if (row && !/\.name$/.test(path)) {
    const more = people.rows[Number(row[1])]?.querySelector("details");
    if (more) more.open = true;
  }
  place.hidden = !sentence;
  form.elements[name]?.setAttribute?.("aria-invalid", String(Boolean(sentence)));
}

function showErrors(errors) {
  for (const part of form.querySelectorAll("[data-field]:not([data-tag])")) {
    if (!unread.has(part.dataset.field)) showError(part.dataset.field, "");
  }
  for (const tag of form.querySelectorAll("[data-tag]")) {
    const { field } = tag.dataset;
    const own = Object.entries(errors).filter(([path]) => path.split(/[.[]/)[0] === field);
    if (!unread.has(field)) showTagErrors(tag, Object.fromEntries(own));
  }
  for (const [path, sentence] of Object.entries(errors)) showError(path, sentence);
}

// Two who change the same

const conflictsPlace = document.querySelector("#conflicts");
const conflictCard = document.querySelector("#conflict-card");

function showConflicts(conflicts) {
  const kept = new Set(conflicts.map((conflict) => conflict.field));
  for (const card of conflictsPlace.querySelectorAll("[data-conflict]")) {
    if (!kept.has(card.dataset.conflict)) card.remove();
  }
  for (const conflict of conflicts) drawConflict(conflict);
}

function drawConflict(conflict) {
  const { field } = conflict;
  let card = conflictsPlace.querySelector(`[data-conflict="${CSS.escape(field)}"]`);
  if (!card) {
    card = conflictCard.content.firstElementChild.cloneNode(true);
    card.dataset.conflict = field;
    for (const button of card.querySelectorAll("button")) {
      button.value = `${button.dataset.settle}:${field}`;
    }
    conflictsPlace.append(card);
    announce(say("conflict", { field: fields()[field] ?? field }));
  }
  card.querySelector("[data-title]").textContent = say("both_changed", {
    field: fields()[field] ?? field,
    name: conflict.changed_by ?? "podhost",
  });
  card.querySelector("[data-theirs]").textContent = wordsOf(field, conflict.theirs);
  card.querySelector("[data-yours]").textContent = wordsOf(field, conflict.yours);
}

conflictsPlace.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-settle]");
  if (!button) return;
  event.preventDefault();
  const name = button.closest("[data-conflict]").dataset.conflict;
  const isMine = button.dataset.settle === "mine";
  const conflict = session.edit.conflicts.find((one) => one.field === name);
  if (!isMine && conflict) put(name, conflict.theirs);
  await session.settle(name, isMine, readField(form, name));
});

// Who else is here

const othersLine = document.querySelector("#others");

function showOthers(others) {
  othersLine.hidden = !others.length;
  othersLine.querySelector("span").textContent = others.length
    ? say("others", { names: others.map((other) => other.name).join(", ") })
    : "";
}

async function beat() {
  try {
    const told = await call("POST", paths.pathPresence);
    showOthers(told.others);
    if (told.version > session.edit.version) await session.refresh();
  } catch {
    // Whoever is not heard of for a minute is taken to have gone.
  }
}
beat();
setInterval(beat, HEARTBEAT_MS);

function showSuggested({ season, number }) {
  for (const [name, value] of Object.entries({ season, number })) {
    const button = form.querySelector(`[data-suggest="${name}"]`);
    button.hidden = value === null || form.elements[name].value === String(value);
    button.textContent = say("take_number", { number: value ?? "" });
    button.dataset.value = value ?? "";
  }
}
form.addEventListener("click", (event) => {
  const button = event.target.closest("[data-suggest]");
  if (!button) return;
  event.preventDefault();
  const input = form.elements[button.dataset.suggest];
  input.value = button.dataset.value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
  button.hidden = true;
});
showSuggested(started.suggested);

// The same person twice: a working copy is one for all tabs.
const tabs = new BroadcastChannel(session.key);
tabs.addEventListener("message", ({ data }) => {
  document.querySelector("#twice").hidden = false;
  if (data === "opened") tabs.postMessage("here");
});
tabs.postMessage("opened");

// Leaving

let isLeaving = false;
form.addEventListener("submit", async (event) => {
  const button = event.submitter;
  const isSaving = !button || button.value === "save";
  if (isLeaving || (!isSaving && !session.isUnsaved)) {
    isLeaving = true;
    return;
  }
  event.preventDefault();
  await session.flush();
  // A form cannot be submitted anew before this submission is over.
  await new Promise((resolve) => setTimeout(resolve));
  if (isSaving || session.state === "offline") return;
  isLeaving = true;
  form.requestSubmit(button);
});
window.addEventListener("beforeunload", (event) => {
  if ((session.isUnsaved || unread.size || isUploading()) && !isLeaving) event.preventDefault();
});
window.addEventListener("pagehide", () => {
  isLeaving = false;
  call("DELETE", paths.pathPresence, { keepalive: true }).catch(() => {});
});

const left = session.leftBehind();
if (left) {
  for (const [name, value] of Object.entries(left.values)) {
    if (name in fields()) put(name, value);
  }
  announce(say("restored"));
  session.restore(left);
}
if (!left) drawState();
for (const part of document.querySelectorAll("[data-with-script]")) part.hidden = false;
for (const part of document.querySelectorAll("[data-without-script]")) part.hidden = true;
document.documentElement.dataset.ready = "true";
