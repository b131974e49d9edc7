// The rows of people: add, remove, order, names completed from earlier episodes, pictures.
//
// It tells by an event "people" on its list that something changed, and saves nothing.

import { call } from "./api.js";
import { say } from "./words.js";

const PAUSE_MS = 150;

export class PeopleRows {
  #made = 0;

  /** `paths` has `people` and `pictures` of the API. */
  constructor(list, template, announce, paths) {
    this.list = list;
    this.template = template;
    this.announce = announce;
    this.paths = paths;
    list.querySelector("[data-without-script]")?.remove();
    for (const row of this.rows) this.#wire(row);
    list.addEventListener("click", (event) => this.#click(event));
  }

  get rows() {
    return [...this.list.querySelectorAll("[data-person]")];
  }

  /** One more row, at the end, with the cursor in it. */
  add() {
    const row = this.#append({});
    row.querySelector('[name="person_name"]').focus();
  }

  /** Show these people in the place of all. */
  show(people) {
    this.list.replaceChildren();
    for (const person of people) this.#append(person);
  }

  #append(person) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    this.list.append(row);
    this.#fill(row, person);
    this.#wire(row);
    return row;
  }

  #fill(row, person) {
    for (const name of ["name", "url", "bio", "image_url", "artwork_id"]) {
      row.querySelector(`[name="person_${name}"]`).value = person[name] ?? "";
    }
    if (person.links !== undefined) {
      const lines = (person.links ?? []).map((link) => [link.url, link.name].filter(Boolean).join(" "));
      row.querySelector('[name="person_links"]').value = lines.join("\n");
    }
    if (person.role) {
      row.querySelector('[name="person_role"]').value = `${person.group ?? "cast"}/${person.role}`;
    }
    this.#picture(row, person.picture_url ?? null);
  }

  /** What was typed already counts more than what is known. */
  #complete(row, person) {
    const typed = (name) => row.querySelector(`[name="person_${name}"]`).value.trim();
    const hasPicture = typed("image_url") || typed("artwork_id");
    this.#fill(row, {
      ...person,
      url: typed("url") || person.url,
      bio: typed("bio") || person.bio,
      image_url: hasPicture ? typed("image_url") : person.image_url,
      artwork_id: hasPicture ? typed("artwork_id") : person.artwork_id,
    });
  }

  #picture(row, url) {
    const picture = row.querySelector("img");
    const artwork = row.querySelector('[name="person_artwork_id"]').value;
    // Pictures here are shown from here; those elsewhere would tell another host who edits.
    const path = url && artwork ? new URL(url, location.href).pathname : artwork ? `/artwork/${artwork}/300.jpg` : null;
    picture.hidden = !path;
    row.querySelector("[data-clear-picture]").hidden = !path;
    if (path) picture.src = path;
  }

  #wire(row) {
    const number = ++this.#made;
    for (const [index, label] of row.querySelectorAll("label").entries()) {
      const input = label.parentElement.querySelector("input:not([type=hidden]), select, textarea");
      if (!input) continue;
      input.id = `person-${number}-${index}`;
      label.htmlFor = input.id;
    }
    new Completion(row, number, this.paths.people, (person) => {
      this.#complete(row, person);
      this.#changed();
    });
    const file = row.querySelector('input[type="file"]');
    file.disabled = false;
    const picture = row.querySelector("img");
    picture.addEventListener("error", () => {
      picture.hidden = true;
    });
    const clear = row.querySelector("[data-clear-picture]");
    clear.hidden = picture.hidden;
    clear.addEventListener("click", () => {
      row.querySelector('[name="person_artwork_id"]').value = "";
      this.#picture(row, null);
      file.focus();
      this.#changed();
    });
    file.addEventListener("change", () => this.#upload(row, file));
  }

  #click(event) {
    const button = event.target.closest("button[data-move]");
    if (!button) return;
    event.preventDefault();
    const row = button.closest("[data-person]");
    const rows = this.rows;
    const index = rows.indexOf(row);
    const name = row.querySelector('[name="person_name"]').value || say("person");
    if (button.dataset.move === "up" && index > 0) {
      rows[index - 1].before(row);
      this.announce(say("moved_up", { name, place: index }));
    } else if (button.dataset.move === "down" && index < rows.length - 1) {
      rows[index + 1].after(row);
      this.announce(say("moved_down", { name, place: index + 2 }));
    } else if (button.dataset.move === "remove") {
      (rows[index + 1] ?? rows[index - 1])?.querySelector('[name="person_name"]').focus();
      row.remove();
      this.announce(say("removed", { name }));
      this.#changed();
      return;
    } else {
      return;
    }
    button.focus();
    this.#changed();
  }

  async #upload(row, file) {
    const [chosen] = file.files;
    if (!chosen) return;
    const note = row.querySelector("[data-picture-note]");
    note.textContent = say("picture_sent");
    const body = new FormData();
    body.append("artwork", chosen);
    try {
      const stored = await call("POST", this.paths.pictures, { body });
      row.querySelector('[name="person_artwork_id"]').value = stored.artwork_id;
      this.#picture(row, stored.url);
      note.textContent = stored.warnings.join(" ");
      this.#changed();
    } catch (error) {
      note.textContent = error.message || say("no_connection");
    }
    file.value = "";
  }

  #changed() {
    this.list.dispatchEvent(new Event("people", { bubbles: true }));
  }
}

/** A name with a list of people that it may mean (ARIA APG, combobox with list). */
class Completion {
  #timer = null;
  #asked = 0;
  #found = [];
  #active = -1;

  constructor(row, number, path, choose) {
    this.input = row.querySelector('[name="person_name"]');
    this.list = row.querySelector('[role="listbox"]');
    this.path = path;
    this.choose = choose;
    this.list.id = `people-list-${number}`;
    const roles = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false" };
    for (const [name, value] of Object.entries({ ...roles, "aria-controls": this.list.id })) {
      this.input.setAttribute(name, value);
    }
    this.input.autocomplete = "off";
    this.input.addEventListener("input", () => this.#later());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
    this.list.addEventListener("pointerdown", (event) => {
      const option = event.target.closest('[role="option"]');
      if (option) {
        event.preventDefault();
        this.#take([...this.list.children].indexOf(option));
      }
    });
  }

  #later() {
    clearTimeout(this.#timer);
    const words = this.input.value.trim();
    if (!words) {
      this.#close();
      return;
    }
    this.#timer = setTimeout(() => this.#ask(words), PAUSE_MS);
  }

  async #ask(words) {
    const mine = ++this.#asked;
    let told;
    try {
      told = await call("GET", `${this.path}?q=${encodeURIComponent(words)}`);
    } catch {
      // Names can be typed without help.
      return;
    }
    if (mine !== this.#asked || document.activeElement !== this.input) return;
    this.#found = told.people.filter((person) => person.name !== this.input.value);
    this.#draw();
  }

  #draw() {
    this.#active = -1;
    this.list.replaceChildren(
      ...this.#found.map((person, index) => {
        const option = document.createElement("li");
        option.role = "option";
        option.id = `${this.list.id}-${index}`;
        option.ariaSelected = "false";
        const name = document.createElement("span");
        name.textContent = person.name;
        const about = document.createElement("span");
        about.className = "quiet";
        about.textContent = [person.role, person.bio].filter(Boolean).join(" · ").slice(0, 80);
        option.append(name, about);
        return option;
      }),
    );
    this.list.hidden = !this.#found.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    if (this.list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const count = this.#found.length;
      this.#mark((this.#active + step + count) % count);
    } else if (event.key === "Enter" && this.#active >= 0) {
      event.preventDefault();
      this.#take(this.#active);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.#close();
    }
  }

  #mark(index) {
    this.#active = index;
    for (const [place, option] of [...this.list.children].entries()) {
      option.ariaSelected = String(place === index);
    }
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${index}`);
  }

  #take(index) {
    const person = this.#found[index];
    this.#close();
    if (person) this.choose(person);
  }

  #close() {
    this.#asked += 1;
    clearTimeout(this.#timer);
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
