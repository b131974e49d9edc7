// The editor of a transcript: thousands of cues that are read, heard, changed and found.

import { call } from "./api.js";
import { cueAt, mergeCues, patternFor, readCues, splitCue, writeVtt } from "./cues.js";
import { guardChanges, listenToKeys, playPart } from "./listening.js";
import { clockTime, readClockTime, shortTime } from "./times.js";
import { say } from "./words.js";

const MOST_UNDONE = 50;
const form = document.querySelector("[data-transcript]");
const list = form.querySelector("[data-cues]");
const template = form.querySelector("template");
const tools = form.querySelector("[data-tools]");
const status = form.querySelector("[data-status]");
const problem = form.querySelector("[data-problem]");
const speakers = form.querySelector("datalist");
const audio = document.querySelector("audio");
const setChanged = guardChanges(form);
const url = form.dataset.url;
let replaces = form.dataset.replaces;
let cues = [];
let undone = [];
let active = null;
let heard = null;

const elementOf = new Map();
const nowMs = () => (audio ? Math.round(audio.currentTime * 1000) : -1);
const textOf = (cue) => elementOf.get(cue).querySelector("textarea");

// Rows

function rowFor(cue) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.cue = cue;
  elementOf.set(cue, row);
  const [time, speaker, text] = [row.querySelector("[data-play]"), row.querySelector("input"), row.querySelector("textarea")];
  time.textContent = shortTime(cue.startMs);
  time.setAttribute("aria-label", say("play_from", { time: shortTime(cue.startMs) }));
  speaker.value = cue.speaker;
  text.value = cue.text;
  text.rows = Math.max(1, Math.ceil(cue.text.length / 70), cue.text.split("\n").length);
  return row;
}

function render() {
  elementOf.clear();
  tools.hidden = true;
  form.append(tools);
  list.replaceChildren(...cues.map(rowFor));
  active = null;
  heard = null;
  listSpeakers();
  countMatches();
}

function listSpeakers() {
  const names = [...new Set(cues.map((cue) => cue.speaker).filter(Boolean))].sort();
  speakers.replaceChildren(...names.slice(0, 100).map((name) => new Option(name)));
}

/** Put cues in the place of others; `focus` is the one that is edited next. */
function replace(index, count, added, focus = added[0], caret = 0) {
  remember();
  const gone = cues.slice(index, index + count);
  const after = elementOf.get(cues[index + count]) ?? null;
  tools.hidden = true;
  form.append(tools);
  for (const cue of gone) {
    elementOf.get(cue).remove();
    elementOf.delete(cue);
  }
  cues.splice(index, count, ...added);
  for (const cue of added) list.insertBefore(rowFor(cue), after);
  active = null;
  touched();
  const next = focus ?? cues[Math.min(index, cues.length - 1)];
  if (next) {
    textOf(next).focus();
    textOf(next).setSelectionRange(caret, caret);
  }
}

function remember() {
  undone.push(cues.map((cue) => ({ ...cue })));
  if (undone.length > MOST_UNDONE) undone.shift();
  form.querySelector("[data-do=undo]").disabled = false;
}

function undo() {
  const before = undone.pop();
  form.querySelector("[data-do=undo]").disabled = !undone.length;
  if (!before) return;
  cues = before;
  render();
  touched();
}

function touched() {
  setChanged(true);
  status.textContent = say("not_saved");
}

// What is done with one cue

function activate(row) {
  if (!row || row === active) return;
  active?.classList.remove("is-active");
  active = row;
  row.classList.add("is-active");
  tools.querySelector("[data-start]").value = clockTime(row.cue.startMs);
  tools.querySelector("[data-end]").value = clockTime(row.cue.endMs);
  tools.hidden = false;
  row.append(tools);
}

function retime(name, ms) {
  if (!active || ms === null) return;
  const cue = active.cue;
  cue[name] = ms;
  if (cue.endMs < cue.startMs) cue.endMs = cue.startMs + 1;
  active.querySelector("[data-play]").textContent = shortTime(cue.startMs);
  tools.querySelector("[data-start]").value = clockTime(cue.startMs);
  tools.querySelector("[data-end]").value = clockTime(cue.endMs);
  if (name === "startMs") {
    // The order of time is the order of reading.
    const ordered = [...cues].sort((one, other) => one.startMs - other.startMs);
    if (ordered.some((entry, index) => entry !== cues[index])) {
      cues = ordered;
      list.append(...cues.map((entry) => elementOf.get(entry)));
    }
  }
  touched();
}

function split() {
  const cue = active?.cue;
  if (!cue) return;
  const [one, other] = splitCue(cue, textOf(cue).selectionStart, nowMs());
  replace(cues.indexOf(cue), 1, [one, other], other);
}

function merge(index) {
  const [one, other] = [cues[index], cues[index + 1]];
  if (!one || !other) return;
  const merged = mergeCues(one, other);
  replace(index, 2, [merged], merged, one.text.trimEnd().length);
}

const doings = {
  split,
  merge: () => merge(cues.indexOf(active?.cue)),
  remove: () => active && replace(cues.indexOf(active.cue), 1, []),
  add: () => {
    const index = cues.indexOf(active?.cue);
    const startMs = active?.cue.endMs ?? 0;
    replace(index + 1, 0, [{ startMs, endMs: startMs + 2000, speaker: active?.cue.speaker ?? "", text: "" }]);
  },
  play: () => active && audio && playPart(audio, active.cue.startMs, active.cue.endMs),
  "start-here": () => retime("startMs", nowMs()),
  "end-here": () => retime("endMs", nowMs()),
  undo,
  next: () => find(),
  replace: replaceOne,
  "replace-all": replaceAll,
};

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const row = event.target.closest("[data-cue]");
  if (button?.matches("[data-play]") && audio) {
    audio.currentTime = row.cue.startMs / 1000;
    audio.play().catch(() => {});
  }
  if (button?.dataset.do) doings[button.dataset.do]();
});
list.addEventListener("focusin", (event) => activate(event.target.closest("[data-cue]")));
list.addEventListener("input", (event) => {
  const row = event.target.closest("[data-cue]");
  if (event.target.matches("[data-speaker]")) row.cue.speaker = event.target.value;
  else if (event.target.matches("textarea")) row.cue.text = event.target.value;
  else return;
  status.textContent = say("not_saved");
});
list.addEventListener("change", (event) => {
  if (event.target.matches("[data-start]")) retime("startMs", readClockTime(event.target.value));
  if (event.target.matches("[data-end]")) retime("endMs", readClockTime(event.target.value));
  if (event.target.matches("[data-speaker]")) listSpeakers();
});
list.addEventListener("keydown", (event) => {
  const text = event.target;
  if (event.key === "Escape") text.blur();
  if (!text.matches("textarea")) {
    // Enter in a field of a cue must not save the form.
    if (event.key === "Enter" && text.matches("input")) event.preventDefault();
    return;
  }
  const index = cues.indexOf(text.closest("[data-cue]").cue);
  const atBegin = text.selectionStart === 0 && text.selectionEnd === 0;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) split();
  else if (event.key === "Backspace" && atBegin && index > 0) merge(index - 1);
  else if (event.altKey && event.key === "ArrowUp") cues[index - 1] && textOf(cues[index - 1]).focus();
  else if (event.altKey && event.key === "ArrowDown") cues[index + 1] && textOf(cues[index + 1]).focus();
  else return;
  event.preventDefault();
});

// Finding

const words = form.querySelector("[data-find]");
const instead = form.querySelector("[data-instead]");
const matchesCase = form.querySelector("[data-case]");
const count = form.querySelector("[data-count]");
// Where the last match was found.
let place = { index: -1, field: "", end: 0 };

const pattern = () => (words.value ? patternFor(words.value, matchesCase.checked) : null);

function countMatches() {
  const found = pattern();
  if (!found) {
    count.textContent = "";
    return 0;
  }
  let matches = 0;
  for (const cue of cues) {
    matches += (cue.speaker.match(found)?.length ?? 0) + (cue.text.match(found)?.length ?? 0);
  }
  count.textContent = say(matches === 1 ? "match" : "matches", { count: matches });
  return matches;
}

function find() {
  const found = pattern();
  if (!found || !countMatches()) return;
  for (let step = 0; step <= cues.length; step += 1) {
    const index = (Math.max(0, place.index) + step) % cues.length;
    for (const field of ["speaker", "text"]) {
      const isHere = step === 0 && index === place.index;
      if (isHere && field === "speaker" && place.field === "text") continue;
      found.lastIndex = isHere && field === place.field ? place.end : 0;
      const match = found.exec(cues[index][field]);
      if (match) {
        select(index, field, match.index, match[0].length);
        return;
      }
    }
  }
  // From the beginning.
  place = { index: -1, field: "", end: 0 };
  find();
}

function select(index, field, start, length) {
  const row = elementOf.get(cues[index]);
  const input = row.querySelector(field === "text" ? "textarea" : "[data-speaker]");
  place = { index, field, start, end: start + length };
  row.scrollIntoView({ block: "center" });
  input.focus({ preventScroll: true });
  input.setSelectionRange(start, start + length);
}

function replaceOne() {
  const found = pattern();
  const cue = cues[place.index];
  if (!found) return;
  const match = cue && place.field ? cue[place.field].slice(place.start, place.end) : "";
  if (match && match.replace(found, "") === "") {
    remember();
    found.lastIndex = 0;
    const value = cue[place.field];
    cue[place.field] = value.slice(0, place.start) + instead.value + value.slice(place.end);
    place.end = place.start + instead.value.length;
    elementOf.get(cue).querySelector(place.field === "text" ? "textarea" : "[data-speaker]").value = cue[place.field];
    touched();
  }
  find();
}

function replaceAll() {
  const found = pattern();
  const matches = countMatches();
  if (!found || !matches) return;
  remember();
  for (const cue of cues) {
    for (const field of ["speaker", "text"]) cue[field] = cue[field].replace(found, () => instead.value);
  }
  place = { index: -1, field: "", end: 0 };
  render();
  touched();
  count.textContent = say("replaced", { count: matches });
}

words.addEventListener("input", () => {
  place = { index: -1, field: "", end: 0 };
  countMatches();
});
matchesCase.addEventListener("change", countMatches);
for (const input of [words, instead]) {
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (input === words) find();
    else replaceOne();
  });
}

// Listening along

function follow() {
  const cue = cues[cueAt(cues, nowMs())] ?? null;
  if (cue === heard) return;
  elementOf.get(heard)?.classList.remove("is-heard");
  heard = cue;
  const row = elementOf.get(cue);
  row?.classList.add("is-heard");
  const isEditing = list.contains(document.activeElement);
  if (row && form.querySelector("[data-follow]").checked && !isEditing && !audio.paused) {
    row.scrollIntoView({ block: "center" });
  }
}

// Saving

async function save() {
  problem.textContent = "";
  problem.hidden = true;
  status.textContent = say("saving");
  const query = new URLSearchParams({ filename: "transcript.vtt", replaces });
  if (form.dataset.language) query.set("language", form.dataset.language);
  try {
    await call("PUT", `${url}?${query}`, { body: writeVtt(cues), headers: { "Content-Type": "text/vtt" } });
    await tagNow();
    setChanged(false);
    status.textContent = say("saved");
  } catch (error) {
    status.textContent = say("not_saved");
    problem.textContent = error.message;
    problem.hidden = false;
    problem.focus();
  }
}

/** Which transcript is stored now: what is saved next replaces that one. */
async function tagNow() {
  const query = new URLSearchParams({ format: "vtt" });
  if (form.dataset.language) query.set("language", form.dataset.language);
  const answer = await fetch(`${url}?${query}`, { method: "HEAD", credentials: "same-origin" });
  replaces = (answer.headers.get("ETag") ?? "").replace(/^W\/|"/g, "");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    save();
  }
});

async function open() {
  const query = new URLSearchParams({ format: "json" });
  if (form.dataset.language) query.set("language", form.dataset.language);
  try {
    cues = readCues(await call("GET", `${url}?${query}`));
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    return;
  }
  cues.sort((one, other) => one.startMs - other.startMs);
  render();
  form.dataset.ready = "yes";
  if (audio) {
    audio.addEventListener("timeupdate", follow);
    listenToKeys(audio);
  }
}

open();
