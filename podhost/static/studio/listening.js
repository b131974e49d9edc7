// The player of a page that works on audio: keys to listen with, and to leave the hands on.

/** Whether keys that somebody presses there are letters of a text. */
function isTyping(target) {
  return !!target.matches?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit])");
}

export function seek(audio, seconds) {
  const end = Number.isFinite(audio.duration) ? audio.duration : Infinity;
  audio.currentTime = Math.min(end, Math.max(0, seconds));
}

export function toggle(audio) {
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
}

/** Play from here to there, and stop. */
export function playPart(audio, startMs, endMs) {
  seek(audio, startMs / 1000);
  audio.play().catch(() => {});
  const stop = () => {
    if (audio.currentTime * 1000 >= endMs || audio.currentTime * 1000 < startMs - 500) {
      if (audio.currentTime * 1000 >= endMs) audio.pause();
      audio.removeEventListener("timeupdate", stop);
    }
  };
  audio.addEventListener("timeupdate", stop);
}

/**
 * Space and K play and pause, J and L go ten seconds, the arrows five, comma and full stop a tenth of
 * one; M does what the page is for. In a text, all letters with Alt.
 */
export function listenToKeys(audio, { mark } = {}) {
  const doings = {
    KeyK: () => toggle(audio),
    KeyJ: () => seek(audio, audio.currentTime - 10),
    KeyL: () => seek(audio, audio.currentTime + 10),
    KeyM: () => mark?.(),
  };
  const more = {
    Space: () => toggle(audio),
    ArrowLeft: () => seek(audio, audio.currentTime - 5),
    ArrowRight: () => seek(audio, audio.currentTime + 5),
    Comma: () => seek(audio, audio.currentTime - 0.1),
    Period: () => seek(audio, audio.currentTime + 0.1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    const typing = isTyping(event.target);
    if (typing !== event.altKey) return;
    const own = event.target.closest?.("button, a, summary, audio, [role=slider], input");
    const doing = doings[event.code] ?? (typing || own ? undefined : more[event.code]);
    if (!doing) return;
    event.preventDefault();
    doing();
  });
}

/** Ask before the page is left with changes that are not saved. Gives a function that says so. */
export function guardChanges(form) {
  let changed = false;
  const warn = (event) => event.preventDefault();
  const set = (value) => {
    if (value === changed) return;
    changed = value;
    if (changed) window.addEventListener("beforeunload", warn);
    else window.removeEventListener("beforeunload", warn);
  };
  // What was refused, or read from a file, is not saved either.
  set(form.hasAttribute("data-changed"));
  form.addEventListener("input", () => set(true));
  form.addEventListener("submit", () => set(false));
  return set;
}
