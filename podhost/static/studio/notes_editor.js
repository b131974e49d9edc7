// A toolbar for Markdown, and the notes as apps will show them; it saves nothing.

import { call } from "./api.js";
import { say } from "./words.js";

const PAUSE_MS = 400;
const WRAPS = { bold: "**", italic: "*" };
const PREFIXES = { heading: "## ", list: "- " };
// One line of a list: its indent, what stands before it, and its words.
const LIST_LINE = /^(\s*)([-*]|(\d{1,4})([.)])) (.*)$/;

/** Make the toolbar work on a textarea; `position` gives the player's seconds. */
export function attachToolbar(toolbar, textarea, position) {
  toolbar.hidden = false;
  toolbar.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-mark]");
    if (!button) return;
    apply(textarea, button.dataset.mark, position);
  });
  toolbar.addEventListener("keydown", (event) => walk(toolbar, event));
  textarea.addEventListener("keydown", (event) => {
    if (goesOnWithList(textarea, event)) return;
    const mark = { b: "bold", i: "italic", k: "link" }[event.key.toLowerCase()];
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || !mark) return;
    event.preventDefault();
    apply(textarea, mark, position);
  });
  for (const [index, button] of [...toolbar.querySelectorAll("button")].entries()) {
    button.tabIndex = index ? -1 : 0;
  }
}

/**
 * Keep a pane up to date with the notes; `people` gives those that the feed introduces. Without
 * `warns`, nothing is said of limits that only feeds have.
 */
export function attachPreview(pane, note, textarea, path, people, { warns = true } = {}) {
  let timer = null;
  let asked = 0;
  const show = async () => {
    const mine = ++asked;
    try {
      const told = await call("POST", path, { json: { notes: textarea.value, people: people() } });
      if (mine !== asked) return;
      // It was cleaned by the function that makes the feed's; scripts could not run either way.
      pane.innerHTML = told.html;
      pane.classList.toggle("is-empty", !told.html);
      for (const link of pane.querySelectorAll("a")) {
        link.target = "_blank";
        link.rel = "noopener noreferrer";
      }
      note.textContent = warns ? told.warnings.join(" ") : "";
    } catch (error) {
      if (mine === asked) note.textContent = error.status === 422 ? error.message : say("no_preview");
    }
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  };
  textarea.addEventListener("input", later);
  textarea.addEventListener("shown", later);
  return later;
}

/** Write and preview side by side where there is room, and one behind the other where not. */
export function attachTabs(tabs, panes) {
  tabs.hidden = false;
  const choose = (chosen) => {
    for (const tab of tabs.querySelectorAll("button")) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-pressed", String(isChosen));
      panes.dataset.shows = isChosen ? tab.dataset.pane : panes.dataset.shows;
    }
  };
  tabs.addEventListener("click", (event) => {
    const tab = event.target.closest("button");
    if (tab) choose(tab);
  });
  choose(tabs.querySelector("button"));
}

/** 754 is 12:34, 3723 is 1:02:03. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours
    ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}`
    : `${String(minutes).padStart(2, "0")}:${rest}`;
}

function apply(textarea, mark, position) {
  const { selectionStart: start, selectionEnd: end, value } = textarea;
  const chosen = value.slice(start, end);
  if (mark in WRAPS) {
    const sign = WRAPS[mark];
    const words = chosen || say(mark);
    replace(textarea, `${sign}${words}${sign}`, sign.length, words.length);
  } else if (mark === "link") {
    const isAddress = /^https?:\/\/\S+$/.test(chosen);
    const words = isAddress || !chosen ? say("link") : chosen;
    const address = isAddress ? chosen : "https://";
    const before = words.length + 3;
    replace(textarea, `[${words}](${address})`, isAddress ? 1 : before, isAddress ? words.length : address.length);
  } else if (mark === "time") {
    const gap = start && !/\s/.test(value[start - 1]) ? " " : "";
    replace(textarea, `${gap}${clock(position())} `, null, 0);
  } else {
    prefix(textarea, PREFIXES[mark], start, end);
  }
}

function prefix(textarea, sign, start, end) {
  const from = textarea.value.lastIndexOf("\n", start - 1) + 1;
  const lines = textarea.value.slice(from, end).split("\n");
  const has = lines.every((line) => line.startsWith(sign));
  const text = lines.map((line) => (has ? line.slice(sign.length) : sign + line)).join("\n");
  textarea.setSelectionRange(from, end);
  replace(textarea, text, null, 0);
}

/** Enter in a list begins its next line, and in an empty line ends the list. */
function goesOnWithList(textarea, event) {
  const { selectionStart: start, selectionEnd: end, value } = textarea;
  if (event.key !== "Enter" || event.isComposing || start !== end) return false;
  if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const found = LIST_LINE.exec(value.slice(from, start));
  if (!found) return false;
  const [, indent, sign, number, dot, words] = found;
  event.preventDefault();
  if (!words.trim()) {
    textarea.setSelectionRange(from, start);
    replace(textarea, "\n", null, 0);
  } else {
    replace(textarea, `\n${indent}${number ? Number(number) + 1 + dot : sign} `, null, 0);
  }
  return true;
}

/** Through the browser's own editing, so that Ctrl+Z takes it back. */
function replace(textarea, text, offset, length) {
  const start = textarea.selectionStart;
  textarea.focus();
  if (!document.execCommand("insertText", false, text)) {
    textarea.setRangeText(text, start, textarea.selectionEnd, "end");
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (offset !== null) textarea.setSelectionRange(start + offset, start + offset + length);
}

/** Arrow keys inside the toolbar, Tab past it (ARIA APG, toolbar). */
function walk(toolbar, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const buttons = [...toolbar.querySelectorAll("button")];
  const next = buttons.at((buttons.indexOf(document.activeElement) + step) % buttons.length);
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
  event.preventDefault();
}
