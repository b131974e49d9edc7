// The pages on which articles and pages are written: toolbar, preview, and no word lost unasked.

import { attachPreview, attachTabs, attachToolbar } from "./notes_editor.js";
import { say } from "./words.js";

const form = document.querySelector("[data-written]");
const text = form.elements.text;
attachToolbar(form.querySelector("[data-toolbar]"), text, () => 0);
attachTabs(form.querySelector("[data-tabs]"), form.querySelector("[data-panes]"));
const preview = attachPreview(
  form.querySelector("[data-preview]"),
  form.querySelector("[data-preview-note]"),
  text,
  form.dataset.pathPreview,
  () => [],
  { warns: false },
);
if (text.value) preview();

// What a refused form brought back is not saved either.
let isChanged = Boolean(document.querySelector(".notice.danger, .field.wrong"));
form.addEventListener("input", () => {
  isChanged = true;
});
form.addEventListener("submit", () => {
  isChanged = false;
});
window.addEventListener("beforeunload", (event) => {
  if (!isChanged) return;
  event.preventDefault();
  event.returnValue = say("leave");
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    form.requestSubmit();
  }
});
