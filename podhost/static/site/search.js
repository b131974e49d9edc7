// Search as you type: the field's form becomes a combobox (WAI-ARIA 1.2) over a list of links, and
// "/" leads to it from anywhere. Without this script the form opens the page of results.
//
// It keeps nothing, and asks nobody but the show's own search.json.

const PAUSE_MS = 200;
const words = JSON.parse(document.getElementById("words-search").textContent);
let made = 0;

/** An element with these attributes, and what is in it. */
function element(tag, attributes = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...inside);
  return node;
}

/** Text of the show in pieces, of which some are what was looked for. */
function pieces(name, marked) {
  const parts = marked.map(([text, isHit]) => (isHit ? element("mark", {}, text) : text));
  return element("span", { class: name, dir: "auto", lang: document.documentElement.lang }, ...parts);
}

/** A form, its list of hits, and what is said of them. */
class SearchBox {
  #timer = 0;
  #asking = null;
  #chosen = -1;
  // Where the cursor was before "/" or the button in the bar.
  #cameFrom = null;

  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input");
    this.list = element("div", { role: "listbox", "aria-label": words.results, id: `${this.input.id}-hits` });
    // In the page from the start, so that its changes are announced.
    this.status = element("p", { role: "status", class: "visually-hidden" });
    this.panel = element("div", { class: "found" }, this.list, this.status);
    form.append(this.panel);
    this.input.setAttribute("role", "combobox");
    this.input.setAttribute("aria-autocomplete", "list");
    this.input.setAttribute("aria-controls", this.list.id);
    this.#show([], "");
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) this.#leave();
    });
    // A press must not take the cursor out of the field before it is a click: in Safari, neither
    // buttons nor links get it.
    form.addEventListener("mousedown", (event) => {
      if (event.target !== this.input) event.preventDefault();
    });
    // A place in the episode that is on this page.
    this.list.addEventListener("click", () => this.#close());
  }

  get #isOpen() {
    return this.panel.classList.contains("is-open");
  }

  /** Bring the cursor here, and remember where it was. */
  open(cameFrom) {
    this.form.parentElement.classList.toggle("is-searching", this.form.parentElement.matches(".bar"));
    this.#cameFrom = cameFrom;
    this.input.focus();
    this.input.select();
  }

  #leave() {
    this.#close();
    this.#cameFrom = null;
    this.form.parentElement.classList.remove("is-searching");
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#show([], "");
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const typed = this.input.value.trim();
    if (typed) this.#timer = setTimeout(() => this.#ask(typed), PAUSE_MS);
    else this.#close();
  }

  async #ask(typed) {
    const asking = new AbortController();
    this.#asking = asking;
    const query = `?q=${encodeURIComponent(typed)}`;
    try {
      const answer = await fetch(this.form.dataset.search + query, { signal: asking.signal, credentials: "omit" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { hits, said, total } = await answer.json();
      const options = hits.map((hit) => this.#hit(hit));
      if (total > hits.length) options.push(this.#option(this.form.action + query, "all", words.all));
      this.#show(options, said);
    } catch {
      // Not where somebody typed on: then the next question is under way.
      if (!asking.signal.aborted) this.#show([], words.failed);
    }
  }

  #show(options, said) {
    this.list.replaceChildren(...options);
    this.list.hidden = options.length === 0;
    this.status.textContent = said;
    this.status.classList.toggle("visually-hidden", options.length > 0 || !said);
    this.panel.classList.toggle("is-open", options.length > 0 || Boolean(said));
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    this.#choose(-1);
  }

  #hit({ path, title, detail, snippet }) {
    const about = element("span", { class: "facts" }, detail);
    return this.#option(path, "hit", pieces("title", title), about, pieces("snippet", snippet));
  }

  #option(path, name, ...inside) {
    made += 1;
    const attributes = { role: "option", "aria-selected": "false", tabindex: "-1", class: name };
    return element("a", { ...attributes, id: `${this.list.id}-${made}`, href: path }, ...inside);
  }

  #choose(number) {
    const options = this.list.children;
    options[this.#chosen]?.setAttribute("aria-selected", "false");
    this.#chosen = number;
    const option = options[number];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  #key(event) {
    // Enter and arrows choose among what an input method proposes.
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") this.#step(event);
    else if (event.key === "Enter" && this.#chosen >= 0) {
      event.preventDefault();
      this.list.children[this.#chosen].click();
    } else if (event.key === "Escape") this.#escape(event);
  }

  #step(event) {
    const last = this.list.children.length - 1;
    event.preventDefault();
    if (last < 0) this.#typed();
    else if (event.key === "ArrowDown") this.#choose(this.#chosen === last ? -1 : this.#chosen + 1);
    else this.#choose(this.#chosen < 0 ? last : this.#chosen - 1);
  }

  #escape(event) {
    // With nothing to close, the browser may empty the field.
    if (!this.#isOpen && !this.#cameFrom) return;
    event.preventDefault();
    const back = this.#cameFrom;
    this.#close();
    if (!back) return;
    if (back === document.body) this.input.blur();
    else back.focus();
  }
}

const boxes = [...document.querySelectorAll("[data-search]")].map((form) => new SearchBox(form));

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  boxes[0]?.open(document.activeElement ?? document.body);
});

for (const link of document.querySelectorAll(".to-search")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    boxes[0]?.open(link);
  });
}
