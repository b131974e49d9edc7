// A link to the episode, at a time if wanted: copied, or given to the device's own sharing.

import { clock } from "./player_time.js";

export function shareOf(player) {
  const button = player.part("share");
  const panel = player.part("share-panel");
  const field = player.part("share-link");
  const isTimed = player.part("share-timed");
  const status = player.part("share-status");
  const networks = [...panel.querySelectorAll("[data-network]")];
  let seconds = 0;

  const write = () => {
    const address = new URL(player.section.dataset.url, location.href);
    field.value = address.href + (isTimed.checked ? `#t=${clock(seconds)}` : "");
    for (const link of networks) {
      link.href = link.dataset.network.replace("{url}", encodeURIComponent(field.value));
    }
  };
  const show = (isOpen) => {
    panel.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    status.textContent = "";
    if (!isOpen) return;
    seconds = Math.floor(player.position);
    isTimed.checked = false;
    isTimed.disabled = seconds === 0;
    player.part("share-time").textContent = clock(seconds);
    write();
    field.focus();
    field.select();
  };

  panel.hidden = true;
  button.addEventListener("click", () => show(panel.hidden));
  player.part("share-close").addEventListener("click", () => {
    show(false);
    button.focus();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    show(false);
    button.focus();
  });
  isTimed.addEventListener("change", write);
  for (const copier of panel.querySelectorAll("[data-copies]")) {
    copier.addEventListener("click", async () => {
      const source = player.part(copier.dataset.copies);
      status.textContent = player.say((await copy(source)) ? "copied" : "copy_by_hand");
    });
  }
  const send = player.part("share-send");
  send.hidden = !navigator.share;
  send.addEventListener("click", () => {
    // Who closes the device's own window has changed their mind.
    navigator.share({ title: player.section.dataset.title, url: field.value }).catch(() => {});
  });
}

/** Whether it could be copied; where it could not, it is marked, and one key copies it. */
async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.focus();
    field.select();
    try {
      return document.execCommand("copy");
    } catch {
      return false;
    }
  }
}
