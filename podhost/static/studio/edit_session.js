// Keeps what is typed: on the server as soon as it can be, and in this browser until then.
//
// It owns the version that was seen and what is not saved; it must not know a page:
//
//     const session = new EditSession(path, edit, key);
//     session.touch("title", "Low water");
//     session.addEventListener("state", () => draw(session.state));
//     session.addEventListener("edit", (event) => merge(event.detail));
//
// session.state is one of
//   saved     the server has all of it (session.savedAt)
//   typing    it will be sent in a moment        saving   it is on its way
//   offline   no connection; it is kept here     failed   the server said no (session.error)

import { call } from "./api.js";

const PAUSE_MS = 700;
const LONGEST_PAUSE_MS = 4000;
const RETRY_MS = 5000;

export class EditSession extends EventTarget {
  #dirty = new Map();
  #inFlight = null;
  #timer = null;
  #firstTouch = 0;

  constructor(path, edit, key) {
    super();
    this.path = path;
    this.edit = edit;
    this.key = key;
    this.state = "saved";
    this.savedAt = null;
    this.error = null;
    this.desk = Math.random().toString(36).slice(2);
    window.addEventListener("online", () => this.flush());
  }

  get isUnsaved() {
    return this.#dirty.size > 0 || this.#inFlight !== null;
  }

  isTouched(name) {
    return this.#dirty.has(name);
  }

  /** What was typed here before, and never reached the server: {values, version}, or null. */
  leftBehind() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return kept?.values && Number.isInteger(kept.version) ? kept : null;
    } catch {
      return null;
    }
  }

  /** Put back what was left behind; it was typed on the version that it says. */
  restore({ values, version, desk }) {
    if (desk) this.desk = desk;
    for (const [name, value] of Object.entries(values)) {
      this.#dirty.set(name, { value, base: Math.max(1, Math.min(version, this.edit.version)) });
    }
    this.#say("typing");
    this.#later(0);
  }

  /** A field has another value now. */
  touch(name, value) {
    const conflict = this.edit.conflicts.find((one) => one.field === name);
    const known = this.#dirty.get(name);
    const base = conflict ? conflict.base : known?.base ?? this.edit.version;
    if (!this.#dirty.size) this.#firstTouch = Date.now();
    this.#dirty.set(name, { value, base });
    this.#keep();
    this.#say("typing");
    const waited = Date.now() - this.#firstTouch;
    this.#later(Math.max(0, Math.min(PAUSE_MS, LONGEST_PAUSE_MS - waited)));
  }

  /** End a conflict: `mine` saves this value over theirs, which was seen; otherwise ours is given up. */
  async settle(name, mine, value) {
    this.#dirty.delete(name);
    if (mine) {
      this.#dirty.set(name, { value, base: this.edit.version });
    }
    await this.flush({ dropped: mine ? [] : [name] });
  }

  /** Send everything now. Resolves to whether the server has all of it. */
  async flush({ dropped = [] } = {}) {
    clearTimeout(this.#timer);
    while (this.#inFlight) await this.#inFlight;
    if (!this.#dirty.size && !dropped.length) return this.state === "saved";
    this.#inFlight = this.#send(dropped);
    try {
      await this.#inFlight;
    } finally {
      this.#inFlight = null;
    }
    if (this.#dirty.size && this.state === "saved") this.#later(PAUSE_MS);
    return this.state === "saved";
  }

  /** Read what others did meanwhile. */
  async refresh() {
    if (this.isUnsaved) return;
    this.#take(await call("GET", this.path), []);
  }

  async #send(dropped) {
    const sent = new Map(this.#dirty);
    this.#dirty.clear();
    this.#say("saving");
    try {
      for (const [base, values] of grouped(sent, this.edit.version)) {
        await this.#patch(base, values, dropped, [...sent.keys()]);
        dropped = [];
        for (const name of Object.keys(values)) sent.delete(name);
      }
      this.savedAt = new Date();
      this.error = null;
      this.#keep();
      this.#say(this.#dirty.size ? "typing" : "saved");
    } catch (error) {
      for (const [name, entry] of sent) {
        if (!this.#dirty.has(name)) this.#dirty.set(name, entry);
      }
      this.#keep();
      this.#fail(error);
    }
  }

  async #patch(version, values, dropped, names) {
    let edit;
    try {
      edit = await call("PATCH", this.path, { json: { version, values, dropped, desk: this.desk } });
    } catch (error) {
      if (error.status !== 409) throw error;
      // Our text is kept there; theirs comes along.
      edit = await call("GET", this.path);
    }
    for (const name of Object.keys(values)) {
      // What was typed while this was on its way was typed on top of it.
      const typed = this.#dirty.get(name);
      const isSettled = !edit.conflicts.some((conflict) => conflict.field === name);
      if (typed && isSettled) typed.base = edit.version;
    }
    this.#take(edit, names);
  }

  #take(edit, sent) {
    const before = this.edit;
    this.edit = edit;
    this.dispatchEvent(new CustomEvent("edit", { detail: { before, edit, sent } }));
  }

  #fail(error) {
    const status = error.status ?? 0;
    if (status === 0 || status === 429 || status >= 500) {
      this.#say("offline");
      this.#later(RETRY_MS);
    } else {
      this.error = error;
      this.#say("failed");
    }
  }

  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), ms);
  }

  /** The last net: what the server does not have yet outlives the tab. */
  #keep() {
    try {
      if (!this.#dirty.size) {
        localStorage.removeItem(this.key);
        return;
      }
      const values = {};
      let version = this.edit.version;
      for (const [name, entry] of this.#dirty) {
        values[name] = entry.value;
        version = Math.min(version, entry.base);
      }
      localStorage.setItem(this.key, JSON.stringify({ values, version, desk: this.desk }));
    } catch {
      // A full or forbidden store keeps nobody from typing.
    }
  }

  #say(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/** The values by the version that was seen when they were typed, the oldest first. */
function grouped(entries, version) {
  const groups = new Map();
  for (const [name, { value, base }] of entries) {
    if (!groups.has(base)) groups.set(base, {});
    groups.get(base)[name] = value;
  }
  if (!groups.size) groups.set(version, {});
  return [...groups].sort(([one], [other]) => one - other);
}
