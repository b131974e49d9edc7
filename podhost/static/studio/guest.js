// What scripts add to a guest's page: copying, seeking, times from the player, and news of jobs.

const player = document.getElementById("player");
const LOOK_AGAIN_MS = 2500;
const LOOKS = 120;

// Copying

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = `${label} ✓`;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// The player

for (const link of document.querySelectorAll("[data-seek]")) {
  link.addEventListener("click", (event) => {
    if (!player) return;
    event.preventDefault();
    player.currentTime = Number(link.dataset.seek) / 1000;
    player.play();
    player.scrollIntoView({ block: "nearest" });
  });
}

function written(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = (tenths % 600) / 10;
  const minutes = Math.floor(tenths / 600) % 60;
  const hours = Math.floor(tenths / 36000);
  const tail = `${rest < 10 ? "0" : ""}${rest}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

function read(text) {
  if (!/^[0-9:.,]+$/.test(text.trim())) return NaN;
  return text.trim().replace(",", ".").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

for (const button of document.querySelectorAll("[data-take]")) {
  if (!player) break;
  button.hidden = false;
  button.addEventListener("click", () => {
    document.getElementById(button.dataset.take).value = written(player.currentTime);
  });
}

const hear = document.querySelector("[data-hear]");
if (hear && player) {
  let until = Infinity;
  hear.hidden = false;
  hear.addEventListener("click", () => {
    const start = read(document.getElementById("f-start").value);
    const end = read(document.getElementById("f-end").value);
    if (Number.isNaN(start)) return;
    until = Number.isNaN(end) ? Infinity : end;
    player.currentTime = start;
    player.play();
  });
  player.addEventListener("timeupdate", () => {
    if (player.currentTime >= until) {
      until = Infinity;
      player.pause();
    }
  });
  player.addEventListener("seeking", () => {
    if (player.currentTime >= until) until = Infinity;
  });
}

// One more link

const links = document.getElementById("links");
const more = document.getElementById("more-links");
if (links && more) {
  const isFull = () => links.children.length >= Number(links.dataset.most);
  more.hidden = isFull();
  more.addEventListener("click", () => {
    const number = links.children.length;
    const row = links.lastElementChild.cloneNode(true);
    for (const input of row.querySelectorAll("input")) {
      input.name = input.name.replace(/\d+$/, number);
      input.id = input.name;
      input.value = "";
    }
    for (const label of row.querySelectorAll("label")) {
      label.htmlFor = label.htmlFor.replace(/\d+$/, number);
    }
    links.append(row);
    more.hidden = isFull();
    row.querySelector("input").focus();
  });
}

// What is being made appears when it is ready.

async function look(left) {
  if (!document.querySelector("[data-waiting]") || !left) return;
  const answer = await fetch(location.pathname, { credentials: "same-origin" }).catch(() => null);
  if (answer?.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["pictures", "clips"]) {
      const shown = document.getElementById(id);
      const found = page.getElementById(id);
      if (shown && found && shown.hasAttribute("data-waiting") && shown.innerHTML !== found.innerHTML) {
        shown.replaceWith(document.adoptNode(found));
      }
    }
  }
  setTimeout(look, LOOK_AGAIN_MS, left - 1);
}
setTimeout(look, LOOK_AGAIN_MS, LOOKS);
