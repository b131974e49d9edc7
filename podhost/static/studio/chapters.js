// The page of an episode's chapters: rows and timeline follow each other; the form is saved as ever.

import { guardChanges, listenToKeys, seek } from "./listening.js";
import { Timeline } from "./timeline.js";
import { clockTime, readClockTime } from "./times.js";
import { say } from "./words.js";

const form = document.querySelector("[data-chapters]");
const body = form.querySelector("tbody");
const template = form.querySelector("template");
const audio = document.querySelector("audio");
const root = document.querySelector("[data-timeline]");
const spoken = form.querySelector("[data-spoken]");
const setChanged = guardChanges(form);

const rows = () => [...body.querySelectorAll("tr[data-row]")];
const startOf = (row) => row.querySelector("[name=start]");
const titleOf = (row) => row.querySelector("[name=title]");
const isEmpty = (row) => [...row.querySelectorAll("input")].every((input) => !input.value.trim());

const timeline =
  root &&
  new Timeline(root, audio, {
    onMove(index, ms) {
      startOf(shown[index]).value = clockTime(ms);
      setChanged(true);
      draw();
    },
    onMoved: () => sort(),
  });

// The rows of the marks, in their order.
let shown = [];

function draw() {
  shown = rows().filter((row) => readClockTime(startOf(row).value) !== null);
  timeline?.show(shown.map((row) => ({ ms: readClockTime(startOf(row).value) })));
}

function sort() {
  const focused = document.activeElement;
  const timed = rows().map((row) => ({ row, ms: readClockTime(startOf(row).value) ?? Infinity }));
  const ordered = [...timed].sort((one, other) => one.ms - other.ms);
  if (ordered.some((entry, index) => entry !== timed[index])) {
    body.append(...ordered.map((entry) => entry.row));
    if (body.contains(focused)) focused.focus();
  }
  number();
  draw();
}

function number() {
  rows().forEach((row, index) => {
    row.querySelector("[data-number]").textContent = String(index + 1);
    for (const input of row.querySelectorAll("[data-label]")) {
      input.setAttribute("aria-label", `${input.dataset.label} ${index + 1}`);
    }
  });
}

function newRow(ms) {
  const row = template.content.firstElementChild.cloneNode(true);
  if (ms !== undefined) startOf(row).value = clockTime(Math.round(ms / 100) * 100);
  body.append(row);
  return row;
}

function add() {
  const ms = audio ? audio.currentTime * 1000 : undefined;
  const row = rows().find(isEmpty) ?? newRow();
  if (ms !== undefined) startOf(row).value = clockTime(Math.round(ms / 100) * 100);
  setChanged(true);
  sort();
  titleOf(row).focus();
  spoken.textContent = say("chapter_added");
}

function nudge(event) {
  const input = event.target;
  if (input.name !== "start" || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  const ms = readClockTime(input.value);
  if (ms === null) return;
  const step = event.shiftKey ? 1000 : 100;
  input.value = clockTime(Math.max(0, ms + (event.key === "ArrowUp" ? step : -step)));
  setChanged(true);
  event.preventDefault();
  draw();
}

body.addEventListener("input", draw);
body.addEventListener("change", (event) => {
  const ms = event.target.name === "start" ? readClockTime(event.target.value) : null;
  if (ms !== null) event.target.value = clockTime(ms);
  if (event.target.name === "start") sort();
});
body.addEventListener("keydown", nudge);
body.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-row]");
  if (event.target.closest("[data-play]") && audio) {
    seek(audio, (readClockTime(startOf(row).value) ?? 0) / 1000);
    audio.play().catch(() => {});
  }
  if (event.target.closest("[data-remove]")) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[name=title]") ?? document.querySelector("[data-add]")).focus();
    setChanged(true);
    number();
    draw();
  }
});
document.querySelector("[data-add]").addEventListener("click", add);
if (audio) listenToKeys(audio, { mark: add });
// Those are for browsers without scripts; here a button makes rows.
for (const row of rows().filter(isEmpty)) row.remove();
sort();
