// An episode is dragged onto a day: the same form as with the keyboard, sent with that day.

const form = document.getElementById("drop");
const help = document.querySelector(".drag-help");
let dragged = null;

if (help && matchMedia("(hover: hover)").matches) help.hidden = false;

document.addEventListener("dragstart", (event) => {
  const entry = event.target.closest?.("[data-episode]");
  if (!entry) return;
  dragged = entry;
  entry.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", entry.textContent.trim());
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  for (const day of document.querySelectorAll(".over")) day.classList.remove("over");
});

for (const day of document.querySelectorAll("[data-day]")) {
  day.addEventListener("dragover", (event) => {
    // What is past cannot be planned; the pointer says so.
    if (!dragged || day.classList.contains("past")) return;
    event.preventDefault();
    day.classList.add("over");
  });
  day.addEventListener("dragleave", () => day.classList.remove("over"));
  day.addEventListener("drop", (event) => {
    if (!dragged) return;
    event.preventDefault();
    if (dragged.closest("[data-day]") === day) return;
    form.action = form.dataset.action.replace("ID", dragged.dataset.episode);
    form.elements.day.value = day.dataset.day;
    form.requestSubmit();
  });
}
