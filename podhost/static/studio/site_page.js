// The page on a show's site: rows of links, how a colour will look, and nothing typed is lost unasked.

import { attachLists } from "./row_lists.js";

const form = document.querySelector(".site-form");
// What a refused form brought back is not saved either.
let isChanged = Boolean(document.querySelector("[data-focus]"));
const changed = () => {
  isChanged = true;
};
attachLists(form, changed);
form.addEventListener("input", changed);
form.addEventListener("submit", () => {
  isChanged = false;
});
addEventListener("beforeunload", (event) => {
  if (isChanged) event.preventDefault();
});
document.querySelector("[data-focus]")?.focus();

const colour = form.elements.accent;
const picture = form.querySelector("[data-colours]");
colour.addEventListener("input", () => {
  form.querySelector("#colour-own").checked = true;
});
// When it is chosen: while somebody still drags, each step would be a request.
colour.addEventListener("change", () => {
  picture.src = picture.dataset.colours + encodeURIComponent(colour.value);
});
