// Lists of rows that setting.html makes: a row more, one less, another order; it reads no values.

let newest = 0;

/** Has the buttons of all lists inside of `root` work; `changed(element)` hears of what they did. */
export function attachLists(root, changed) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const entry = button?.closest("[data-entry]");
    if (!button) return;
    if (button.hasAttribute("data-add")) focusFirst(addRow(button.closest("[data-rows]")));
    else if (button.hasAttribute("data-remove")) removeRow(entry, changed);
    else if (button.hasAttribute("data-up")) moveRow(entry, button, true, changed);
    else if (button.hasAttribute("data-down")) moveRow(entry, button, false, changed);
  });
  document.documentElement.dataset.lists = "alive";
}

/** One more row at the end of a list; the row. */
export function addRow(list) {
  const copied = list.querySelector(":scope > template").content.cloneNode(true);
  fill(copied, `new${newest++}`);
  const entry = copied.querySelector("[data-entry]");
  list.querySelector(":scope > [data-entries]").append(copied);
  return entry;
}

function focusFirst(entry) {
  entry.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

/** Puts the row's key into every name that stands for it, in templates inside of it too. */
function fill(part, key) {
  for (const element of part.querySelectorAll("*")) {
    for (const name of ["name", "id", "for", "aria-describedby", "data-rows"]) {
      const value = element.getAttribute(name);
      if (value?.includes("[__key__]")) {
        // An attribute may name several, and each has its own key still to come behind this one.
        const words = value.split(" ").map((word) => word.replace("[__key__]", `[${key}]`));
        element.setAttribute(name, words.join(" "));
      }
    }
    if (element instanceof HTMLTemplateElement) fill(element.content, key);
  }
}

function removeRow(entry, changed) {
  const list = entry.closest("[data-rows]");
  const near = entry.nextElementSibling || entry.previousElementSibling;
  entry.remove();
  const next = near?.querySelector("[data-remove]") || list.querySelector(":scope > p [data-add]");
  next?.focus();
  changed(list);
}

function moveRow(entry, button, isUp, changed) {
  const other = isUp ? entry.previousElementSibling : entry.nextElementSibling;
  if (!other) return;
  if (isUp) other.before(entry);
  else other.after(entry);
  const still = getComputedStyle(button).visibility === "hidden" ? (isUp ? "[data-down]" : "[data-up]") : null;
  (still ? entry.querySelector(still) : button).focus();
  changed(entry);
}
