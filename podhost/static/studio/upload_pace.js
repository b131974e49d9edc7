// How fast bytes go out, over the last seconds; plain numbers, and no words for them.

const WINDOW_MS = 10_000;
const STEP_MS = 250;

/** Collects bytes as they go out. */
export class Pace {
  #steps = []; // [begin in ms, bytes]

  /** So many more bytes have gone out. */
  add(bytes) {
    const now = performance.now();
    const last = this.#steps.at(-1);
    if (last && now - last[0] < STEP_MS) {
      last[1] += bytes;
    } else {
      this.#steps.push([now, bytes]);
    }
    this.#drop(now);
  }

  /** Bytes per second of late; 0 when nothing went out. */
  get bytesPerSecond() {
    const now = performance.now();
    this.#drop(now);
    if (!this.#steps.length) {
      return 0;
    }
    const bytes = this.#steps.reduce((sum, [, step]) => sum + step, 0);
    const seconds = Math.max(now - this.#steps[0][0], 1000) / 1000;
    return Math.max(0, bytes / seconds);
  }

  #drop(now) {
    while (this.#steps.length && now - this.#steps[0][0] > WINDOW_MS) {
      this.#steps.shift();
    }
  }
}
