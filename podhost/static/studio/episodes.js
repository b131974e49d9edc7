// Choosing several episodes: all at once, a range with the shift key, and how many it are.

import { say } from "./words.js";

const form = document.getElementById("chosen");
const all = document.getElementById("all");
const told = document.getElementById("how-many");

if (form && all) {
  const boxes = [...form.querySelectorAll("input[name=episode]")];
  let last = null;

  const tell = () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    told.textContent = count === 0 ? "" : count === 1 ? say("chosen_one") : say("chosen", { count });
  };

  all.closest("[hidden]").hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  form.addEventListener("click", (event) => {
    const box = event.target;
    if (!boxes.includes(box)) return;
    if (event.shiftKey && last && last !== box) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((one, other) => one - other);
      for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
    }
    last = box;
    tell();
  });
  // What was chosen before the back button is chosen still.
  window.addEventListener("pageshow", tell);
}
