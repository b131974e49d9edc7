// Uploads files in parts, four at a time over all files, and goes on after whatever cuts in.
//
// It owns who may send next, and must not know a page; one_upload.js sends:
//
//     const uploads = new Uploads();
//     const upload = uploads.add(file, { show: "tide-tables", episode: "ID to replace its audio" });
//     upload.addEventListener("change", () => draw(upload.state, upload.sentBytes, upload.error));
//
// upload.state is one of (with upload.error, a sentence of the server's, or upload.code, one of ours:
// "unreadable", "cors" or "gone")
//   choose     the file is not at hand: upload.give(file)
//   waiting    in line            sending    parts are on their way (upload.trouble: not at the moment)
//   paused     upload.resume()    failed     upload.resume() tries again
//   checking   all is there; the server looks at it
//   ready      upload.answer.episode has the audio
//   refused    the file cannot be published
//   cancelled

import { call } from "./api.js";
import { FINAL, Upload, fingerprintOf, identity } from "./one_upload.js";
import { Pace } from "./upload_pace.js";
import { recordsOf, reserve } from "./upload_store.js";

export const PARTS_AT_ONCE = 4;
// An unfinished upload that was touched so lately goes on in another tab or on another device.
const ELSEWHERE_MS = 2 * 60 * 1000;

/** All uploads of a page; they share the parts that go out at once. */
export class Uploads extends EventTarget {
  #sending = 0;

  constructor() {
    super();
    this.list = [];
    this.pace = new Pace();
  }

  /**
   * Upload a file; the Upload, which may be one that was begun before.
   *
   * `episode` is the id whose audio it replaces; without one a draft is made of it. With
   * `offsetMs` chapters and transcripts move along. `handle` is a FileSystemFileHandle, with
   * which the upload can go on after the tab was closed, without asking.
   */
  add(file, { show, episode = null, offsetMs = null, handle = null }) {
    const fingerprint = fingerprintOf(file);
    const known = this.list.find(
      (upload) =>
        !FINAL.has(upload.state) &&
        upload.record.fingerprint === fingerprint &&
        upload.record.show === show &&
        upload.record.episode === episode,
    );
    if (known) {
      known.give(file, handle);
      return known;
    }
    const record = {
      id: randomId(),
      show,
      episode,
      offsetMs,
      fingerprint,
      name: file.name,
      type: file.type,
      size: file.size,
      handle,
      createdAt: Date.now(),
      typed: {},
    };
    reserve(record.id);
    const upload = this.#enlist(record);
    upload.give(file, handle);
    return upload;
  }

  /** Bring back what was not finished when the page was closed; those Uploads.
   *
   * With `episode` only those that replace its audio. */
  async restore(show, { episode } = {}) {
    const all = await recordsOf(show);
    const records = all.filter((record) => episode === undefined || record.episode === episode);
    const mine = await Promise.all(records.map((record) => reserve(record.id)));
    const restored = records.filter((_, at) => mine[at]).map((record) => this.#enlist(record));
    restored.forEach((upload) => upload.restore());
    return restored;
  }

  /** Bring back what was begun in another browser and stands still there; those Uploads. */
  async adopt(show) {
    const { uploads } = await call("GET", `/shows/${encodeURIComponent(show)}/uploads?state=open`);
    const known = new Set(this.list.map((upload) => upload.record.uploadId));
    const left = uploads.filter(
      (state) => !known.has(state.id) && Date.now() - Date.parse(state.changed_at) > ELSEWHERE_MS,
    );
    return left.map((state) =>
      this.#enlist({
        id: state.id,
        show,
        episode: state.target,
        offsetMs: null,
        fingerprint: state.fingerprint,
        name: state.filename,
        type: state.type,
        size: state.size,
        handle: null,
        createdAt: Date.parse(state.created_at),
        typed: {},
        ...identity(state),
      }),
    );
  }

  /** Whether closing the page would interrupt something. */
  get isBusy() {
    return this.list.some((upload) => upload.state === "sending" || upload.state === "waiting");
  }

  pauseAll() {
    this.list.forEach((upload) => upload.pause());
  }

  resumeAll() {
    this.list.forEach((upload) => upload.resume());
  }

  /** Give free lanes to whoever is first in line; called whenever something may have changed. */
  pump() {
    while (this.#sending < PARTS_AT_ONCE) {
      const upload = this.list.find((candidate) => candidate.wantsLane);
      if (!upload) {
        return;
      }
      this.#sending += 1;
      upload.takeLane().finally(() => {
        this.#sending -= 1;
        this.pump();
      });
    }
  }

  #enlist(record) {
    const upload = new Upload(this, record);
    this.list.push(upload);
    upload.addEventListener("change", () => this.dispatchEvent(new Event("change")));
    return upload;
  }
}

function randomId() {
  // crypto.randomUUID is there in secure contexts only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
