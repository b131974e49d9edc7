// The page of an episode's soundbites: parts are marked on the timeline and listened to.

import { guardChanges, listenToKeys, playPart } from "./listening.js";
import { Timeline } from "./timeline.js";
import { clockTime, readClockTime } from "./times.js";
import { say } from "./words.js";

const form = document.querySelector("[data-soundbites]");
const body = form.querySelector("tbody");
const template = form.querySelector("template");
const audio = document.querySelector("audio");
const root = document.querySelector("[data-timeline]");
const spoken = form.querySelector("[data-spoken]");
const setChanged = guardChanges(form);
const USUAL_MS = 30_000;

const rows = () => [...body.querySelectorAll("tr[data-row]")];
const field = (row, name) => row.querySelector(`[name=${name}]`);
const isEmpty = (row) => [...row.querySelectorAll("input")].every((input) => !input.value.trim());
let current = null;

function span(row) {
  const startMs = readClockTime(field(row, "start").value);
  const lengthMs = readClockTime(field(row, "duration").value);
  return startMs === null || !lengthMs ? null : { startMs, endMs: startMs + lengthMs };
}

const timeline =
  root &&
  new Timeline(root, audio, {
    onSpan(startMs, endMs) {
      const row = current?.isConnected ? current : pick();
      fill(row, startMs, endMs);
    },
  });

function fill(row, startMs, endMs) {
  const start = Math.round(startMs / 100) * 100;
  field(row, "start").value = clockTime(start);
  field(row, "duration").value = clockTime(Math.max(100, Math.round((endMs - start) / 100) * 100));
  setChanged(true);
  draw();
}

function pick() {
  const row = rows().find(isEmpty) ?? template.content.firstElementChild.cloneNode(true);
  if (!row.isConnected) body.append(row);
  current = row;
  number();
  return row;
}

function draw() {
  for (const row of rows()) {
    const found = span(row);
    const seconds = found ? (found.endMs - found.startMs) / 1000 : 30;
    row.querySelector("[data-advice]").hidden = seconds >= 15 && seconds <= 120;
    row.classList.toggle("is-current", row === current);
  }
  timeline?.show([], rows().map(span).filter(Boolean));
}

function number() {
  rows().forEach((row, index) => {
    for (const input of row.querySelectorAll("[data-label]")) {
      input.setAttribute("aria-label", `${input.dataset.label} ${index + 1}`);
    }
  });
}

function begin() {
  const row = pick();
  const endMs = Math.min(Number(root.dataset.durationMs), audio.currentTime * 1000 + USUAL_MS);
  fill(row, audio.currentTime * 1000, endMs);
  spoken.textContent = say("soundbite_begun");
}

function end() {
  if (!current?.isConnected) return;
  const startMs = readClockTime(field(current, "start").value) ?? 0;
  const nowMs = audio.currentTime * 1000;
  if (nowMs <= startMs) return;
  fill(current, startMs, nowMs);
  field(current, "title").focus();
  spoken.textContent = say("soundbite_ended");
}

function move(row, by) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other?.matches("tr[data-row]")) return;
  if (by < 0) other.before(row);
  else other.after(row);
  setChanged(true);
  number();
}

body.addEventListener("input", draw);
body.addEventListener("change", (event) => {
  const ms = ["start", "duration"].includes(event.target.name) ? readClockTime(event.target.value) : null;
  if (ms !== null) event.target.value = clockTime(ms);
});
body.addEventListener("focusin", (event) => {
  current = event.target.closest("tr[data-row]");
  draw();
});
body.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-row]");
  const button = event.target.closest("button");
  if (!button) return;
  const found = span(row);
  if (button.matches("[data-play]") && found && audio) playPart(audio, found.startMs, found.endMs);
  if (button.matches("[data-up]")) move(row, -1);
  if (button.matches("[data-down]")) move(row, 1);
  if (button.matches("[data-remove]")) {
    row.remove();
    current = null;
    setChanged(true);
    document.querySelector("[data-begin]")?.focus();
    number();
  } else button.focus();
  draw();
});
document.querySelector("[data-begin]")?.addEventListener("click", begin);
document.querySelector("[data-end]")?.addEventListener("click", end);
if (audio) listenToKeys(audio, { mark: begin });
// Those are for browsers without scripts; here a button makes rows.
for (const row of rows().filter(isEmpty)) row.remove();
number();
draw();
