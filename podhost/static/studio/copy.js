// A button beside what is shown once, to copy it. Without this script it is selected by hand.

for (const field of document.querySelectorAll("[data-copy]")) {
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small";
  button.textContent = field.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = field.dataset.copied;
  });
  field.parentElement.classList.add("copy-row");
  field.after(button);
}
