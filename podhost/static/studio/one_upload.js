// One file on its way to the server; it owns the protocol of /api/v1/s3/multipart (docs/api.md,
// "Uploads") and what is kept of it in the browser. Which upload may send is decided in upload.js.

import { pauseAfter, sleep, wakeAll } from "./patience.js";
import { StorageRefuses, ask, isPassing, troubleOf } from "./upload_errors.js";
import { Pace } from "./upload_pace.js";
import { PutError, digestOf, isReadable, putPart } from "./upload_part.js";
import { forget, keep } from "./upload_store.js";

export const FINAL = new Set(["ready", "refused", "cancelled"]);
const POLL_MS = 1000;
// After so many parts that no network took, the bucket's CORS rules are looked at.
const TRIES_BEFORE_DOUBT = 2;

/** What a file is known by when it is chosen a second time. */
export function fingerprintOf(file) {
  return `${file.size}-${file.lastModified}-${file.name}`.slice(0, 200);
}

/** One file on its way. Made by Uploads. */
export class Upload extends EventTarget {
  #uploads;
  #controller = new AbortController();
  #parts = new Map(); // number -> {etag, sha256, size}: what has arrived
  #flying = new Map(); // number -> bytes that have gone out
  #opened = false;
  #opening = false;
  #isForgotten = false;
  #beginnings = 0;
  #failedPuts = 0;

  constructor(uploads, record) {
    super();
    this.#uploads = uploads;
    this.record = record;
    this.file = null;
    this.state = "choose";
    this.error = null;
    this.code = null;
    this.trouble = null;
    this.answer = null;
    this.pace = new Pace();
    this.#parts = new Map(record.parts ?? []);
  }

  get name() {
    return this.record.name;
  }

  get sizeBytes() {
    return this.record.size;
  }

  /** What has arrived or is on its way, in bytes. */
  get sentBytes() {
    let bytes = 0;
    this.#parts.forEach((part) => (bytes += part.size));
    this.#flying.forEach((flying) => (bytes += flying));
    return Math.min(bytes, this.sizeBytes);
  }

  /** The file, chosen for the first time or again; the upload goes (on). */
  give(file, handle = null) {
    this.file = file;
    this.record.size = file.size;
    if (handle) {
      this.record.handle = handle;
    }
    if (this.state === "choose" || this.state === "failed") {
      this.#start();
    }
  }

  /** Whether a file that was chosen may be this one. */
  isSame(file) {
    const { fingerprint, name, size } = this.record;
    return fingerprint ? fingerprint === fingerprintOf(file) : name === file.name && size === file.size;
  }

  /** After the page was opened again: go on by ourselves where the browser lets us. */
  async restore() {
    if (this.record.isComplete || (await this.#wasCompleted())) {
      this.#check();
      return;
    }
    const permission = await this.record.handle?.queryPermission?.({ mode: "read" });
    if (permission === "granted") {
      await this.reopen();
    }
    this.#changed();
  }

  /** Open the file by its handle, asking for leave; whether that could be. Needs a click. */
  async reopen() {
    const { handle } = this.record;
    try {
      if (handle && (await handle.requestPermission({ mode: "read" })) === "granted") {
        const file = await handle.getFile();
        if (this.isSame(file)) {
          this.give(file);
          return true;
        }
      }
    } catch {
      // The file is gone, or the browser asks for it to be chosen anew.
    }
    this.record.handle = null;
    this.#changed();
    return false;
  }

  pause() {
    if (this.state === "sending" || this.state === "waiting") {
      this.#become("paused");
      this.#halt();
    }
  }

  /** Go on after a pause or a failure; with trouble, try again now. */
  resume() {
    if (this.state === "paused" || this.state === "failed") {
      if (this.record.isComplete) {
        this.#check();
      } else if (this.file) {
        this.#start();
      } else {
        this.#become("choose");
      }
    }
    wakeAll();
  }

  /** Give it up, here and on the server. */
  cancel() {
    if (FINAL.has(this.state) || this.state === "checking") {
      return;
    }
    this.#become("cancelled");
    this.#halt();
    this.forget();
    this.#abandon();
    this.#uploads.pump();
  }

  /** Write down what the page wants to know again: `values` under record.typed. */
  remember(values) {
    this.record.typed = values;
    this.#keep();
  }

  /** The browser need not know of it any more. */
  forget() {
    this.#isForgotten = true;
    forget(this.record.id);
  }

  // What follows is for Uploads and for ourselves.

  get wantsLane() {
    if (!["waiting", "sending"].includes(this.state) || this.#opening) {
      return false;
    }
    return !this.#opened || this.#nextPart() !== null;
  }

  /** Do one thing: open the upload, or send its next part. Never throws. */
  async takeLane() {
    const { signal } = this.#controller;
    const number = this.#opened ? this.#nextPart() : null;
    if (this.state === "waiting") {
      this.#become("sending");
    }
    try {
      await (number === null ? this.#open(signal) : this.#send(number, signal));
    } catch (error) {
      if (!signal.aborted) {
        await this.#stumbled(error);
      }
    } finally {
      // After a pause somebody else may be where we were.
      if (signal === this.#controller.signal) {
        this.#opening = false;
        this.#flying.delete(number);
      }
    }
    if (!signal.aborted && this.#isWhole()) {
      this.#check();
    }
  }

  #start() {
    this.#halt();
    this.#opened = this.#opening = false;
    this.#failedPuts = 0;
    this.#keep();
    this.#become("waiting");
    this.#uploads.pump();
  }

  /** Nothing of what is going on counts any more. */
  #halt() {
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#flying.clear();
  }

  /** If it does not get there, the server throws the upload away by itself, days later. */
  #abandon() {
    if (this.record.uploadId) {
      ask("DELETE", this.#path()).catch(() => {});
    }
  }

  /** Whether the page was closed after the server had everything. */
  async #wasCompleted() {
    if (!this.record.uploadId) {
      return false;
    }
    try {
      const state = await ask("GET", this.#statePath());
      this.record.isComplete = state.state !== "uploading";
    } catch (error) {
      if (error.status === 404) {
        this.#startOver();
      }
    }
    return Boolean(this.record.isComplete);
  }

  /** The server knows nothing of this upload any more. */
  #startOver() {
    this.record.uploadId = null;
    this.record.isComplete = false;
    this.record.parts = [];
    this.#parts.clear();
  }

  #isWhole() {
    return this.state === "sending" && this.#opened && this.#parts.size === this.#partCount();
  }

  #partCount() {
    return Math.max(1, Math.ceil(this.sizeBytes / this.record.partBytes));
  }

  #nextPart() {
    for (let number = 1; number <= this.#partCount(); number += 1) {
      if (!this.#parts.has(number) && !this.#flying.has(number)) {
        return number;
      }
    }
    return null;
  }

  #slice(number) {
    const begin = (number - 1) * this.record.partBytes;
    return this.file.slice(begin, Math.min(begin + this.record.partBytes, this.sizeBytes));
  }

  /** Begin the upload on the server, or find out how far it had come. */
  async #open(signal) {
    this.#opening = true;
    if (!this.record.uploadId) {
      await this.#find(signal);
    }
    if (this.record.uploadId) {
      const listed = await this.#insist(() => ask("GET", this.#path()), signal);
      this.#take(listed);
    } else {
      await this.#insist(() => this.#create(), signal);
    }
    this.#opened = true;
    this.#changed();
  }

  async #create() {
    const made = await ask("POST", "/s3/multipart", this.#request());
    Object.assign(this.record, identity(made.upload));
    this.#parts.clear();
    if (this.state === "cancelled") {
      this.#abandon();
    }
    this.#keep();
  }

  #request() {
    const { name, type, size, show, episode, offsetMs, fingerprint } = this.record;
    const metadata = { show, fingerprint };
    if (episode) {
      metadata.episode = episode;
    }
    if (offsetMs) {
      metadata.offset_ms = offsetMs;
    }
    return { json: { filename: name, type, size, metadata } };
  }

  /** The same file may have been begun in another browser, or before its memory was cleared. */
  async #find(signal) {
    const path = `/shows/${encodeURIComponent(this.record.show)}/uploads?state=open`;
    const { uploads } = await this.#insist(() => ask("GET", path), signal);
    const found = uploads.find(
      (state) =>
        state.fingerprint === this.record.fingerprint &&
        state.size === this.record.size &&
        state.target === this.record.episode,
    );
    if (found) {
      Object.assign(this.record, identity(found));
      this.#keep();
    }
  }

  /** What the server has counts, and not what we remember. */
  #take(listed) {
    const remembered = this.#parts.size ? this.#parts : new Map(this.record.parts ?? []);
    this.#parts = new Map();
    for (const { PartNumber: number, Size: size, ETag: etag } of listed) {
      if (number <= this.#partCount() && size === this.#slice(number).size) {
        this.#parts.set(number, { sha256: remembered.get(number)?.sha256 ?? null, etag, size });
      }
    }
  }

  async #send(number, signal) {
    this.#flying.set(number, 0);
    const blob = this.#slice(number);
    const sha256 = await digestOf(blob);
    const etag = await this.#insist(() => this.#put(number, blob, sha256, signal), signal);
    this.#failedPuts = 0;
    this.#parts.set(number, { etag, sha256, size: blob.size });
    this.record.parts = [...this.#parts];
    this.#keep();
    this.#changed();
  }

  async #put(number, blob, sha256, signal) {
    // Signed anew for every try: an address that has expired is answered with 403.
    const sum = sha256 ? { sha256 } : {};
    const signed = await ask("GET", this.#path(`/${number}`, sum));
    signal.throwIfAborted();
    let known = 0;
    const onProgress = (bytes) => {
      this.#flying.set(number, bytes);
      this.pace.add(bytes - known);
      this.#uploads.pace.add(bytes - known);
      known = bytes;
      this.#changed();
    };
    const headers = { ...signed.headers };
    try {
      return await putPart(this.#address(signed.url), headers, blob, { signal, onProgress });
    } catch (error) {
      this.#flying.set(number, 0);
      if (error instanceof PutError && error.status === 0) {
        await this.#doubt();
      }
      throw error;
    }
  }

  /** Parts for podhost itself stay on the page's origin, by whatever name it is reached. */
  #address(url) {
    const address = new URL(url, location.href);
    return this.record.direct ? address.href : address.pathname + address.search;
  }

  /** No answer at all to a part: is it the file, or the bucket's rules, and not the network? */
  async #doubt() {
    if (!(await isReadable(this.file))) {
      throw new DOMException("", "NotReadableError");
    }
    this.#failedPuts += 1;
    if (!this.record.direct || this.#parts.size || this.#failedPuts < TRIES_BEFORE_DOUBT) {
      return;
    }
    let cors;
    try {
      cors = await ask("GET", "/uploads/cors");
    } catch (error) {
      // Editors may not ask, and get the sentence without the details.
      cors = error.status === 403 ? { is_needed: true, is_well: false } : { is_well: true };
    }
    if (cors.is_needed && cors.is_well === false) {
      throw new StorageRefuses(cors);
    }
  }

  /** Do it until it is done: what passes by itself is waited for. Throws what does not. */
  async #insist(work, signal) {
    for (let tries = 0; ; tries += 1) {
      signal.throwIfAborted();
      try {
        const done = await work();
        signal.throwIfAborted();
        this.#relieve();
        return done;
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) {
          throw error;
        }
        this.trouble = troubleOf(error, this.record.direct);
        this.#changed();
        await sleep(pauseAfter(tries), signal);
      }
    }
  }

  /** Something went through: who waits need not wait any longer. */
  #relieve() {
    if (this.trouble) {
      this.trouble = null;
      this.#changed();
      wakeAll();
    }
  }

  async #stumbled(error) {
    if (error.name === "NotReadableError" || error.name === "NotFoundError") {
      this.file = null;
      this.record.handle = null;
      this.#halt();
      this.#become("choose", { code: "unreadable" });
    } else if ([404, 409, 410].includes(error.status) && this.record.uploadId) {
      await this.#lost();
    } else if (error instanceof StorageRefuses) {
      this.cors = error.cors;
      this.#fail({ code: "cors" });
    } else {
      this.#fail({ error: error.message });
    }
  }

  /** The server's upload is finished or gone: see which, and begin again where it is gone. */
  async #lost() {
    this.#halt();
    this.#opening = true;
    const { signal } = this.#controller;
    try {
      const state = await this.#insist(() => ask("GET", this.#statePath()), signal);
      if (["received", "probing", "ready", "refused"].includes(state.state)) {
        this.record.isComplete = true;
        this.#check();
        return;
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (error.status !== 404) {
        this.#fail({ error: error.message });
        return;
      }
    }
    this.#beginnings += 1;
    this.#startOver();
    if (this.#beginnings > 2) {
      this.#fail({ code: "gone" });
    } else {
      this.#start();
    }
  }

  #fail(reason) {
    this.#halt();
    this.#become("failed", reason);
  }

  /** All parts are there: say so, and follow what the server finds in the file. */
  async #check() {
    this.#halt();
    this.#become("checking");
    const { signal } = this.#controller;
    try {
      if (!this.record.isComplete) {
        await this.#insist(() => ask("POST", this.#path("/complete"), this.#list()), signal);
        this.record.isComplete = true;
        this.#keep();
      }
      await this.#follow(signal);
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (error.status === 422 && this.#beginnings < 2) {
        // A part is not there, or not what was sent. Listing says which are well.
        this.#beginnings += 1;
        this.#start();
      } else if ([404, 410].includes(error.status) && this.file) {
        await this.#lost();
      } else if (error.status === 404) {
        this.#startOver();
        this.#become("choose", { code: "gone" });
      } else {
        this.#fail({ error: error.message });
      }
    }
  }

  #list() {
    const parts = [...this.#parts].sort(([a], [b]) => a - b);
    return {
      json: {
        parts: parts.map(([number, { etag, sha256 }]) => ({
          PartNumber: number,
          ...(etag ? { ETag: etag } : {}),
          ...(sha256 ? { sha256 } : {}),
        })),
      },
    };
  }

  async #follow(signal) {
    for (;;) {
      const state = await this.#insist(() => ask("GET", this.#statePath()), signal);
      this.answer = state;
      if (state.state === "ready") {
        if (this.record.episode || !Object.keys(this.record.typed).length) {
          this.forget();
        }
        this.#become("ready");
        return;
      }
      if (state.state === "refused") {
        this.#become("refused", { error: state.error });
        return;
      }
      if (state.state === "aborted") {
        // By somebody else, or in another browser.
        this.forget();
        this.#become("cancelled");
        return;
      }
      this.#changed();
      await sleep(POLL_MS, signal);
    }
  }

  #path(more = "", parameters = {}) {
    const query = new URLSearchParams({ key: this.record.key, ...parameters });
    return `/s3/multipart/${encodeURIComponent(this.record.uploadId)}${more}?${query}`;
  }

  #statePath() {
    const { show, uploadId } = this.record;
    return `/shows/${encodeURIComponent(show)}/uploads/${encodeURIComponent(uploadId)}`;
  }

  #become(state, { error = null, code = null } = {}) {
    this.state = state;
    this.error = error;
    this.code = code;
    this.trouble = null;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #keep() {
    if (!this.#isForgotten) {
      keep(this.record);
    }
  }
}

/** What of the server's state goes into a record. */
export function identity(state) {
  const { id: uploadId, key, part_bytes: partBytes, direct } = state;
  return { uploadId, key, partBytes, direct };
}
