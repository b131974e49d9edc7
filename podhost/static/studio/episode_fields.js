// The inputs of the episode page as the values that the API takes, and back; it sends nothing.

import { readTag, showTag, tagOf, tagWords } from "./tag_fields.js";

const LINKS = { funding: ["url", "label"], content_links: ["href", "text"] };
const NULLED = new Set([
  "link", "author", "season_name", "apple_title", "decimal_number", "episode_display",
  "artwork_alt",
]);

/** What stands around the inputs of a tag that setting.html makes; null for any other field. */
export function findTag(form, name) {
  return form.querySelector(`[data-tag][data-field="${CSS.escape(name)}"]`);
}

/** The field that an input belongs to; null for those that are none of the episode's. */
export function fieldOf(input) {
  if (input.closest("[data-people]")) return "people";
  if (tagOf(input)) return tagOf(input).dataset.field;
  const name = input.name;
  return name && input.form?.querySelector(`[data-field="${CSS.escape(name)}"]`) ? name : null;
}

/** The value of one field as the API takes it; undefined where no value can be read. */
export function readField(form, name) {
  if (name === "people") return readPeople(form);
  const tag = findTag(form, name);
  if (tag) {
    const { value, unread } = readTag(tag);
    return unread.length ? undefined : value;
  }
  const input = form.elements[name];
  if (name === "blocked") return input.checked;
  const text = input.value;
  if (name === "notes") return text;
  if (name === "explicit") return { yes: true, no: false }[text] ?? null;
  if (name === "season" || name === "number") return readNumber(input);
  if (name === "labels") return text.split(",").map((one) => one.trim()).filter(Boolean);
  if (name in LINKS) return readLinks(text, LINKS[name]);
  if (name === "license") return readLicense(text);
  return NULLED.has(name) ? text.trim() || null : text.trim();
}

/** Show a value in its inputs; those of people are made by people_rows.js. */
export function showField(form, name, value) {
  const tag = findTag(form, name);
  if (tag) {
    showTag(tag, value);
    return;
  }
  const input = form.elements[name];
  if (name === "blocked") input.checked = Boolean(value);
  else if (name === "explicit") input.value = value === null ? "" : value ? "yes" : "no";
  else if (name === "labels") input.value = (value ?? []).join(", ");
  else if (name in LINKS) input.value = (value ?? []).map((one) => linkLine(one, LINKS[name])).join("\n");
  else if (name === "license") input.value = value ? [value.name, value.url].filter(Boolean).join(" ") : "";
  else input.value = value ?? "";
  input.dispatchEvent(new Event("shown", { bubbles: true }));
}

/** A value as people read it beside another one. */
export function wordsOf(name, value) {
  if (value === null || value === undefined) return "";
  if (name === "people") {
    return value.map((one) => [one.name, one.role, one.url, one.bio].filter(Boolean).join(", ")).join("\n");
  }
  if (name in LINKS) return value.map((one) => linkLine(one, LINKS[name])).join("\n");
  if (name === "license") return [value.name, value.url].filter(Boolean).join(" ");
  if (name === "labels") return value.join(", ");
  return tagWords(value);
}

function readNumber(input) {
  const text = input.value.trim();
  if (input.validity.badInput || (text && !/^\d{1,12}$/.test(text))) return undefined;
  return text ? Number(text) : null;
}

function readLinks(text, [address, words]) {
  const entries = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return entries.map((line) => {
    const [first, ...rest] = line.split(" ");
    return { [address]: first, [words]: rest.join(" ").trim() || null };
  });
}

function readLicense(text) {
  const words = text.trim().split(" ");
  const last = words.at(-1);
  if (words.length > 1 && /^https?:\/\//.test(last)) {
    return { name: words.slice(0, -1).join(" ").trim(), url: last };
  }
  return text.trim() ? { name: text.trim() } : null;
}

function linkLine(entry, [address, words]) {
  return [entry[address], entry[words]].filter(Boolean).join(" ");
}

function readPeople(form) {
  const people = [];
  for (const row of form.querySelectorAll("[data-person]")) {
    const text = (name) => row.querySelector(`[name="person_${name}"]`).value.trim();
    const [group, role] = text("role").split("/");
    const person = {
      name: text("name"),
      role,
      group,
      url: text("url") || null,
      bio: text("bio") || null,
      image_url: text("image_url") || null,
      links: readLinks(text("links"), ["url", "name"]).map((link) => ({ ...link, name: link.name ?? "" })),
    };
    const artwork = text("artwork_id");
    if (artwork) person.artwork_id = artwork;
    if (person.name || person.url || person.bio || person.image_url || artwork) people.push(person);
  }
  return people;
}
