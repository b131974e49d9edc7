// The small form beside an upload: title, season, number, notes. What the host types is kept in
// the browser until there is an episode, and wins over what the file's tags say.

import { pauseAfter, sleep } from "./patience.js";
import { ask, isPassing } from "./upload_errors.js";
import { say } from "./words.js";

const TYPING_MS = 400;
const NUMBERS = new Set(["season", "number"]);

export class Details {
  #typed;
  #unsaved;
  #episodeId = null;
  #saving = Promise.resolve();
  #typing = null;

  /** `form` has fields named as the API names them. */
  constructor(form, upload) {
    this.form = form;
    this.upload = upload;
    this.#typed = { ...upload.record.typed };
    this.#unsaved = new Set(Object.keys(this.#typed));
    for (const field of this.#fields()) {
      const error = form.querySelector(`[data-error="${field.name}"]`);
      error.id = `${field.name}-error-${upload.record.id}`;
      field.id = `${field.name}-${upload.record.id}`;
      form.querySelector(`[data-for="${field.name}"]`).htmlFor = field.id;
      field.setAttribute("aria-describedby", error.id);
      field.value = this.#typed[field.name] ?? "";
      field.addEventListener("input", () => this.#type(field));
      field.addEventListener("change", () => this.#save());
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  /** Fill in what was found, except where something was typed. */
  prefill(found) {
    for (const field of this.#fields()) {
      const value = found[field.name];
      const isFree = !(field.name in this.#typed) && document.activeElement !== field;
      if (isFree && value !== null && value !== undefined) {
        field.value = String(value);
      }
    }
  }

  /** From now on there is an episode: what was typed goes there. The episode, the first time. */
  async attach(episodeId) {
    if (this.#episodeId) {
      return null;
    }
    this.#episodeId = episodeId;
    await this.#save();
    const episode = await this.#insist(() => ask("GET", this.#path()));
    if (episode) {
      this.prefill(episode);
    }
    return episode;
  }

  *#fields() {
    for (const field of this.form.elements) {
      if (field.name) {
        yield field;
      }
    }
  }

  #path() {
    const { show } = this.upload.record;
    const episode = encodeURIComponent(this.#episodeId);
    return `/shows/${encodeURIComponent(show)}/episodes/${episode}`;
  }

  #type(field) {
    this.#typed[field.name] = field.value;
    this.#unsaved.add(field.name);
    this.#say("");
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.upload.remember({ ...this.#typed }), TYPING_MS);
  }

  /** Send what is not saved yet, one call after the other; before there is an episode, nothing. */
  #save() {
    if (this.#episodeId) {
      this.#saving = this.#saving.then(() => this.#send());
    } else {
      this.upload.remember({ ...this.#typed });
    }
    return this.#saving;
  }

  async #send() {
    const names = [...this.#unsaved];
    if (names.length) {
      this.#say(say("saving"));
      const json = Object.fromEntries(names.map((name) => [name, this.#given(name)]));
      this.#unsaved.clear();
      const answer = await this.#insist(() => ask("PATCH", this.#path(), { json }));
      if (!answer) {
        names.forEach((name) => this.#unsaved.add(name));
        return;
      }
      this.#say(say("saved"));
      this.#mark({});
    }
    if (!this.#unsaved.size) {
      this.upload.forget();
    }
  }

  #given(name) {
    const value = this.#typed[name].trim();
    if (!NUMBERS.has(name)) {
      return value;
    }
    // What is no number is told so by the server, beside the field.
    return value === "" ? null : /^\d{1,9}$/.test(value) ? Number(value) : value;
  }

  /** What `work` gives; null when it was refused, which is shown. Waits where nobody answers. */
  async #insist(work) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error)) {
          this.#mark(error.fields ?? {});
          this.#say(Object.keys(error.fields ?? {}).length ? say("not_saved") : error.message);
          return null;
        }
        this.#say(say("saved_later"));
        await sleep(pauseAfter(tries));
      }
    }
  }

  #mark(errors) {
    for (const field of this.#fields()) {
      const sentence = errors[field.name] ?? "";
      const place = this.form.querySelector(`[data-error="${field.name}"]`);
      place.textContent = sentence;
      place.hidden = sentence === "";
      field.toggleAttribute("aria-invalid", sentence !== "");
    }
  }

  #say(sentence) {
    this.form.querySelector('[data-part="saved"]').textContent = sentence;
  }
}
