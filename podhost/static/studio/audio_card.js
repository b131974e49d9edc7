// Audio for an episode that is there already: uploads the file, and shows the page anew with it.

import { say } from "./words.js";

const MB = 1e6;
const STOPPED = new Set(["refused", "failed", "cancelled"]);

/**
 * `places` has the `show` and the `episode`; `isSaved` resolves once everything typed is saved.
 * Gives a function that says whether closing the page would cut an upload off.
 */
export function attachAudio(input, note, places, isSaved) {
  let uploads = null;
  const draw = (name, values) => {
    note.textContent = say(name, values);
  };
  const finish = async () => {
    await isSaved();
    uploads = null;
    location.reload();
  };
  const follow = (upload) => {
    let isOver = false;
    upload.addEventListener("change", () => {
      if (isOver) return;
      isOver = upload.state === "ready" || STOPPED.has(upload.state);
      input.disabled = !isOver;
      if (upload.state === "ready") finish();
      else if (isOver) draw("audio_failed", { reason: upload.error ?? say("no_connection") });
      else if (upload.state === "checking") draw("audio_checked");
      else draw("audio_sent", progress(upload));
    });
  };
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    input.disabled = true;
    try {
      // Only who replaces audio needs it.
      const { Uploads } = await import("./upload.js");
      uploads ??= new Uploads();
    } catch {
      input.disabled = false;
      draw("audio_failed", { reason: say("no_connection") });
      return;
    }
    follow(uploads.add(file, places));
    input.value = "";
  });
  return () => uploads?.isBusy ?? false;
}

function progress({ sentBytes, sizeBytes }) {
  return { done: (sentBytes / MB).toFixed(1), all: (sizeBytes / MB).toFixed(1) };
}
