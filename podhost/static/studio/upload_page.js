// The page on which files are dropped: takes them, shows a card for each, tells screen readers.

import { paceText, percentText, sizeText, spanText } from "./figures.js";
import { Uploads } from "./upload.js";
import { Card } from "./upload_card.js";
import { say } from "./words.js";

// With more cards than that, the forms in them are closed at first.
const MOST_OPEN_FORMS = 3;
const NEWS_MS = 1000;
// Told to screen readers once each.
const MILESTONES = [0.25, 0.5, 0.75];
const NO_AUDIO = /^(image|text|font)\/|^application\/(pdf|zip|msword|json|vnd\.|x-zip)/;

const page = document.getElementById("upload-page");
const { show, edit: editUrl } = page.dataset;
const template = document.getElementById("upload-card");
const list = document.getElementById("uploads");
const input = document.getElementById("audio");
const zone = document.getElementById("drop");
const refusals = document.getElementById("upload-refusals");
const total = document.getElementById("upload-total");
const news = document.getElementById("upload-news");
const plainTitle = document.title;

const uploads = new Uploads();
const cards = new Map(); // Upload -> Card
let telling = null;
const told = new Map(); // Upload -> what was said of it last
const restoring = uploads.restore(show).then((restored) => restored.forEach(present));

function present(upload) {
  if (cards.has(upload)) {
    cards.get(upload).element.scrollIntoView({ block: "nearest" });
    return;
  }
  const card = new Card(upload, template, { editUrl, onRemove: dismiss });
  cards.set(upload, card);
  const more = card.part("more");
  if (more) {
    more.open = cards.size <= MOST_OPEN_FORMS;
  }
  list.append(card.element);
  upload.addEventListener("change", () => tellSoon());
}

function dismiss(card) {
  cards.delete(card.upload);
  told.delete(card.upload);
  // What had the focus is gone.
  input.focus();
  tellSoon();
}

/** Take files: [{file, handle}]; what is surely no audio is refused before it is sent. */
async function take(chosen) {
  const sentences = [];
  // What was begun before must be known, or it would be begun anew.
  await restoring;
  for (const { file, handle } of chosen) {
    if (file.size === 0) {
      sentences.push(say("empty_file", { name: file.name }));
    } else if (NO_AUDIO.test(file.type)) {
      sentences.push(say("no_audio", { name: file.name }));
    } else {
      present(uploads.add(file, { show, handle, ...meant(file) }));
    }
  }
  complain(sentences);
}

/** A file that was to replace the audio of an episode goes on doing so when it comes again. */
function meant(file) {
  const waiting = uploads.list.find((upload) => upload.state === "choose" && upload.isSame(file));
  return { episode: waiting?.record.episode ?? null };
}

function complain(sentences) {
  refusals.replaceChildren(
    ...sentences.map((sentence) => {
      const line = document.createElement("p");
      line.className = "error";
      line.textContent = sentence;
      return line;
    }),
  );
}

async function takeDropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // All of it is asked for at once: after the event, the browser knows nothing of it any more.
  const found = items.map((item) => ({
    isFolder: Boolean(item.webkitGetAsEntry?.()?.isDirectory),
    file: item.getAsFile(),
    handle: keepable(item),
  }));
  const files = found.filter(({ file, isFolder }) => file && !isFolder);
  const handles = await Promise.all(files.map(({ handle }) => handle));
  await take(files.map(({ file }, at) => ({ file, handle: handles[at] })));
  if (found.some(({ isFolder }) => isFolder)) {
    complain([say("folder")]);
  }
}

/** The handle with which the file can be read again tomorrow, in browsers that give one. */
async function keepable(item) {
  try {
    const handle = await item.getAsFileSystemHandle?.();
    return handle?.kind === "file" ? handle : null;
  } catch {
    return null;
  }
}

// News

function tellSoon() {
  telling ??= setTimeout(() => {
    telling = null;
    tell();
  }, NEWS_MS);
  drawTotal();
}

/** Milestones and changes of state, and nothing in between: a screen reader talks long. */
function tell() {
  const sentences = [];
  for (const upload of cards.keys()) {
    const point = milestone(upload);
    if (told.get(upload) !== point.key) {
      told.set(upload, point.key);
      sentences.push(`${upload.name}: ${point.sentence}`);
    }
  }
  if (sentences.length) {
    news.textContent = sentences.join(". ");
  }
}

function milestone(upload) {
  if (upload.trouble) {
    return { key: upload.trouble, sentence: say(`trouble_${upload.trouble}`) };
  }
  const share = upload.sizeBytes ? upload.sentBytes / upload.sizeBytes : 0;
  const passed = MILESTONES.filter((mark) => share >= mark).at(-1);
  if (upload.state === "sending" && passed) {
    return { key: passed, sentence: say("uploaded", { percent: percentText(passed) }) };
  }
  const more = upload.error ? ` ${upload.error}` : "";
  return { key: upload.state, sentence: say(upload.state) + more };
}

function drawTotal() {
  const under = [...cards.keys()].filter((upload) =>
    ["waiting", "sending", "paused", "failed"].includes(upload.state),
  );
  const size = under.reduce((sum, upload) => sum + upload.sizeBytes, 0);
  const sent = under.reduce((sum, upload) => sum + upload.sentBytes, 0);
  const share = size ? sent / size : 0;
  document.title = uploads.isBusy ? `${percentText(share)} · ${plainTitle}` : plainTitle;
  total.hidden = under.length < 2;
  if (!total.hidden) {
    document.getElementById("total-progress").value = share;
    document.getElementById("total-figures").textContent = totalFigures(under, size, sent, share);
    document.getElementById("pause-all").hidden = !uploads.isBusy;
    document.getElementById("resume-all").hidden = uploads.isBusy;
  }
}

function totalFigures(under, size, sent, share) {
  const figures = [say("files", { count: under.length }), percentText(share)];
  figures.push(say("sent_of", { sent: sizeText(sent), size: sizeText(size) }));
  const pace = uploads.pace.bytesPerSecond;
  if (uploads.isBusy && pace > 0) {
    figures.push(paceText(pace), say("left", { span: spanText((size - sent) / pace) }));
  }
  return figures.join(" · ");
}

// What people do

input.multiple = true;
input.addEventListener("change", () => {
  take([...input.files].map((file) => ({ file, handle: null })));
  // The same file may be chosen again.
  input.value = "";
});
document.getElementById("plain-upload").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("pause-all").addEventListener("click", () => uploads.pauseAll());
document.getElementById("resume-all").addEventListener("click", () => uploads.resumeAll());

// The whole page takes files: one that misses the zone would be opened in its place.
let hovering = null;
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer?.types.includes("Files")) {
    event.preventDefault();
    zone.classList.add("over");
    clearTimeout(hovering);
    hovering = setTimeout(() => zone.classList.remove("over"), 200);
  }
});
document.addEventListener("drop", (event) => {
  if (event.dataTransfer?.types.includes("Files")) {
    event.preventDefault();
    zone.classList.remove("over");
    takeDropped(event.dataTransfer);
  }
});
addEventListener("beforeunload", (event) => {
  if (uploads.isBusy) {
    event.preventDefault();
  }
});

await restoring;
try {
  (await uploads.adopt(show)).forEach(present);
} catch {
  // What was begun elsewhere can wait; files can be dropped all the same.
}
page.dataset.ready = "true";
