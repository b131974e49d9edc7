// Inputs that setting.html makes as the values that the API takes, and back; it sends nothing.
//
// It reads a form as show_forms.py does, by `data-part` and `data-kind` of what stands around inputs.

import { addRow } from "./row_lists.js";

const BETWEEN = /[,;\s]+/;
const NUMBERS = { number: /^-?\d{1,12}$/, decimal: /^-?\d{1,12}([.,]\d{1,9})?$/ };

/** The part that stands around all inputs of one tag; null for inputs that are none of a tag. */
export function tagOf(input) {
  return input.closest("[data-tag]");
}

/**
 * What a tag's inputs say: {value, unread, places}. `unread` are the inputs in which stands no
 * number where one is needed; `places` are what stands around each input, by the API's path.
 */
export function readTag(tag) {
  const found = { unread: [], places: new Map() };
  const value = readPart(tag.querySelector("[data-part]"), tag.dataset.field, found);
  return { value, ...found };
}

/** Show a value in a tag's inputs. */
export function showTag(tag, value) {
  clearErrors(tag);
  showPart(tag.querySelector("[data-part]"), value);
}

/** Say what is wrong beside the inputs: sentences by path; nothing else stays said. */
export function showTagErrors(tag, errors) {
  clearErrors(tag);
  const { places } = readTag(tag);
  for (const [path, sentence] of Object.entries(errors)) {
    const [place, rest] = nearest(places, path);
    if (place) showError(place, rest ? `${rest}: ${sentence}` : sentence);
  }
}

/** Say beside these inputs that they need a number. */
export function showUnread(tag, inputs, sentence) {
  clearErrors(tag);
  for (const input of inputs) showError(input.closest("[data-part]"), sentence);
}

/** A value for people to compare: a line for each entry, its parts with commas between. */
export function tagWords(value) {
  const entries = Array.isArray(value) ? value : [value];
  return entries.map((entry) => leaves(entry).join(", ")).join("\n");
}

function leaves(value) {
  if (value === null || value === undefined || value === false || value === "") return [];
  return typeof value === "object" ? Object.values(value).flatMap(leaves) : [String(value)];
}

// Reading

function readPart(part, path, found) {
  found.places.set(path, part);
  const { kind } = part.dataset;
  if (kind === "rows") return readRows(part, path, found);
  if (kind === "record") return readRecord(part.querySelector(":scope > .parts"), path, found);
  const input = inputOf(part);
  if (kind === "truth") return input.checked;
  const text = input.value.trim();
  if (kind === "text") return input.value;
  if (kind === "words") return text ? text.split(BETWEEN) : [];
  return kind in NUMBERS ? readNumber(part, input, text, found) : text;
}

function readNumber(part, input, text, found) {
  const isNumber = NUMBERS[part.dataset.kind].test(text);
  if (isNumber) return Number(text.replace(",", "."));
  if (text || "needed" in part.dataset) found.unread.push(input);
  return text || null;
}

function readRows(list, path, found) {
  const entries = [];
  for (const entry of list.querySelectorAll(":scope > [data-entries] > [data-entry]")) {
    const parts = entry.querySelector(":scope > .parts");
    const lone = parts.querySelector(':scope > [data-part=""]');
    const own = { unread: [], places: found.places };
    const place = `${path}[${entries.length}]`;
    found.places.set(place, entry);
    const value = lone ? readPart(lone, place, own) : readRecord(parts, place, own);
    if (value === null || value === "") continue;
    entries.push(value);
    found.unread.push(...own.unread);
  }
  return entries;
}

/** The parts that say something; null when nothing but boxes and defaults is filled in. */
function readRecord(parts, path, found) {
  const own = { unread: [], places: found.places };
  const value = {};
  let isSaid = false;
  for (const part of parts.querySelectorAll(":scope > [data-part]")) {
    const { part: name, kind } = part.dataset;
    const read = readPart(part, `${path}.${name}`, own);
    const isEmpty = read === null || read === "" || (Array.isArray(read) && !read.length);
    if (!isEmpty && kind !== "truth" && String(read) !== part.dataset.default) isSaid = true;
    if (!isEmpty || "needed" in part.dataset || kind === "rows") value[name] = read;
  }
  if (!isSaid) return null;
  found.unread.push(...own.unread);
  return value;
}

// Showing

function showPart(part, value) {
  const { kind } = part.dataset;
  if (kind === "rows") {
    const entries = part.querySelector(":scope > [data-entries]");
    entries.replaceChildren();
    for (const entry of value ?? []) showRow(addRow(part), entry);
    if (!value?.length && "needed" in part.dataset) addRow(part);
  } else if (kind === "record") {
    showParts(part.querySelector(":scope > .parts"), value ?? {});
  } else {
    showInput(inputOf(part), kind, value ?? part.dataset.default ?? "");
  }
}

function showRow(entry, value) {
  const parts = entry.querySelector(":scope > .parts");
  const lone = parts.querySelector(':scope > [data-part=""]');
  if (lone) showPart(lone, value);
  else showParts(parts, value);
}

function showParts(parts, value) {
  for (const part of parts.querySelectorAll(":scope > [data-part]")) {
    showPart(part, value[part.dataset.part]);
  }
}

function showInput(input, kind, value) {
  if (kind === "truth") input.checked = value === true;
  else input.value = kind === "words" && value ? value.join(", ") : value;
}

// Errors

function clearErrors(tag) {
  for (const error of tag.querySelectorAll(".error")) error.remove();
  for (const input of tag.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    describe(input, null);
  }
}

/** What stands around the input of a path, or else around what holds it, and the path from there. */
function nearest(places, path) {
  for (let end = path.length; end > 0; end--) {
    const place = places.get(path.slice(0, end));
    if (place) return [place, path.slice(end)];
  }
  return [null, path];
}

function showError(place, sentence) {
  const said = document.createElement("p");
  said.className = "error";
  said.textContent = sentence;
  if (place.matches(".field")) {
    const input = inputOf(place);
    said.id = `${input.id}-error`;
    input.setAttribute("aria-invalid", "true");
    describe(input, said.id);
    place.append(said);
  } else {
    (place.querySelector(":scope > .parts, :scope > [data-entries]") ?? place).before(said);
  }
}

function describe(input, error) {
  const ids = (input.getAttribute("aria-describedby") ?? "").split(" ");
  const others = ids.filter((id) => id && id !== `${input.id}-error`);
  const all = error ? [error, ...others] : others;
  if (all.length) input.setAttribute("aria-describedby", all.join(" "));
  else input.removeAttribute("aria-describedby");
}

function inputOf(part) {
  return part.querySelector("input, select, textarea");
}
