// Shows one upload as a card: how far it is, what is wrong, what can be done. It draws an Upload
// of one_upload.js and must not send anything itself.

import { clockText, paceText, percentText, sizeText, spanText } from "./figures.js";
import { Details } from "./upload_details.js";
import { say } from "./words.js";

const REDRAW_MS = 150;
const MOVING = new Set(["waiting", "sending"]);

/** The card of an upload, made of the page's <template>; `element` is to be put into the list. */
export class Card {
  #drawing = null;

  constructor(upload, template, { editUrl, onRemove }) {
    this.upload = upload;
    this.editUrl = editUrl;
    this.onRemove = onRemove;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.upload = upload.record.id;
    this.#name();
    this.#listen();
    this.details = upload.record.episode ? null : new Details(this.part("details"), upload);
    if (!this.details) {
      this.part("more").remove();
    }
    upload.addEventListener("change", () => this.#drawSoon());
    this.draw();
  }

  /** The element that plays a part, by its data-part. */
  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  /** Show what is so now. */
  draw() {
    const { upload } = this;
    this.element.dataset.state = upload.state;
    this.part("size").textContent = upload.sizeBytes === null ? "" : sizeText(upload.sizeBytes);
    const state = this.part("state");
    if (state.textContent !== say(upload.state)) {
      state.textContent = say(upload.state);
    }
    this.#drawProgress();
    this.#drawSentences();
    this.#drawButtons();
    this.#drawAnswer();
  }

  #name() {
    const heading = this.part("name");
    heading.textContent = this.upload.name;
    heading.id = `name-${this.upload.record.id}`;
    this.element.setAttribute("aria-labelledby", heading.id);
    for (const named of this.element.querySelectorAll("button, progress, input[type=file]")) {
      named.setAttribute("aria-describedby", heading.id);
    }
    this.part("progress").setAttribute("aria-labelledby", heading.id);
  }

  #listen() {
    const { upload } = this;
    this.part("pause").addEventListener("click", () =>
      MOVING.has(upload.state) ? upload.pause() : upload.resume(),
    );
    this.part("now").addEventListener("click", () => upload.resume());
    this.part("reopen").addEventListener("click", () => upload.reopen());
    this.part("remove").addEventListener("click", () => this.#remove());
    this.part("cancel").addEventListener("click", () => this.#ask(true));
    this.part("keep").addEventListener("click", () => this.#ask(false));
    this.part("throw").addEventListener("click", () => {
      upload.cancel();
      this.#remove();
    });
    const input = this.part("file");
    input.addEventListener("change", () => this.#choose(input.files[0]));
  }

  /** Cancelling asks once, in its own place. */
  #ask(isAsking) {
    this.part("sure").hidden = !isAsking;
    this.part("buttons").hidden = isAsking;
    this.part(isAsking ? "keep" : "cancel").focus();
  }

  #choose(file) {
    if (file && this.upload.isSame(file)) {
      this.part("another").hidden = true;
      this.upload.give(file);
    } else if (file) {
      this.part("another").textContent = say("another_file", { name: this.upload.name });
      this.part("another").hidden = false;
    }
  }

  #remove() {
    this.upload.forget();
    this.element.remove();
    this.onRemove(this);
  }

  #drawSoon() {
    this.#drawing ??= setTimeout(() => {
      this.#drawing = null;
      this.draw();
    }, REDRAW_MS);
  }

  #drawProgress() {
    const { upload } = this;
    const isShown = !["ready", "refused", "cancelled"].includes(upload.state);
    this.part("progress-box").hidden = !isShown;
    if (!isShown) {
      return;
    }
    const share = upload.sizeBytes ? upload.sentBytes / upload.sizeBytes : 0;
    const bar = this.part("progress");
    if (upload.state === "checking") {
      bar.removeAttribute("value");
    } else {
      bar.value = share;
    }
    this.part("figures").textContent = this.#figures(share).join(" · ");
  }

  #figures(share) {
    const { upload } = this;
    if (upload.state === "checking") {
      return [say("checking_long")];
    }
    const sizes = { sent: sizeText(upload.sentBytes), size: sizeText(upload.sizeBytes ?? 0) };
    const figures = [percentText(share), say("sent_of", sizes)];
    const pace = upload.pace.bytesPerSecond;
    if (upload.state === "sending" && !upload.trouble && pace > 0) {
      const seconds = (upload.sizeBytes - upload.sentBytes) / pace;
      figures.push(paceText(pace), say("left", { span: spanText(seconds) }));
    }
    return figures;
  }

  #drawSentences() {
    const { upload } = this;
    setText(this.part("trouble"), upload.trouble ? say(`trouble_${upload.trouble}`) : "");
    setText(this.part("error"), this.#error());
    this.#drawRules();
  }

  #error() {
    const { upload } = this;
    if (upload.code) {
      return upload.cors?.message || say(upload.code);
    }
    if (upload.state === "choose") {
      return "";
    }
    return upload.error ?? "";
  }

  /** What an operator is to do about the bucket. */
  #drawRules() {
    const { cors, code } = this.upload;
    const box = this.part("rules");
    box.hidden = code !== "cors";
    if (!box.hidden) {
      setText(this.part("command"), cors.command ?? "");
      setText(this.part("json"), cors.rules ? JSON.stringify(cors.rules, null, 2) : "");
    }
  }

  #drawButtons() {
    const { state, trouble, record } = this.upload;
    const isOver = ["ready", "refused", "cancelled"].includes(state);
    const isChecked = isOver || state === "checking";
    const pause = this.part("pause");
    pause.hidden = !MOVING.has(state) && state !== "paused" && state !== "failed";
    pause.textContent = say({ paused: "go_on", failed: "try_again" }[state] ?? "pause");
    this.part("now").hidden = !(MOVING.has(state) && trouble);
    this.part("again").hidden = state !== "choose";
    this.part("reopen").hidden = state !== "choose" || !record.handle;
    this.part("remove").hidden = !isOver;
    if (isChecked) {
      this.part("sure").hidden = true;
    }
    this.part("buttons").hidden = isChecked || !this.part("sure").hidden;
  }

  #drawAnswer() {
    const { answer, state } = this.upload;
    if (answer?.found) {
      this.details?.prefill(answer.found);
    }
    drawList(this.part("warnings"), state === "ready" ? answer.warnings : []);
    const facts = [];
    if (answer?.found?.duration_seconds) {
      facts.push(clockText(answer.found.duration_seconds));
    }
    if (answer?.found?.chapters) {
      facts.push(say("chapters", { count: answer.found.chapters }));
    }
    // They stand behind the size.
    const isFirst = this.upload.sizeBytes === null;
    setText(this.part("facts"), facts.map((fact, at) => (isFirst && !at ? fact : `· ${fact}`)).join(" "));
    if (state === "ready" && answer.episode) {
      const link = this.part("edit");
      link.href = this.editUrl + encodeURIComponent(answer.episode.id);
      link.hidden = false;
      this.details?.attach(answer.episode.id).then((episode) => this.#drawEpisode(episode));
    }
    if (state === "refused") {
      this.part("more")?.remove();
    }
  }

  #drawEpisode(episode) {
    if (!episode) {
      return;
    }
    if (episode.artwork_url) {
      const picture = this.part("artwork");
      const address = new URL(episode.artwork_url, location.href);
      // On the page's own origin, by whatever name that is reached.
      picture.src = address.pathname + address.search;
      picture.hidden = false;
    }
    this.draw();
  }
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  element.hidden = text === "";
}

function drawList(list, sentences) {
  if (list.childElementCount !== sentences.length) {
    list.replaceChildren(
      ...sentences.map((sentence) => {
        const line = document.createElement("li");
        line.textContent = sentence;
        return line;
      }),
    );
  }
  list.hidden = !sentences.length;
}
