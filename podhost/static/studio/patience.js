// Waits between tries, longer each time, and wakes everybody when the network is back.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

const sleepers = new Set();

/** How long to wait after so many tries that failed, in ms: twice as long each time, not quite
 * the same for all. */
export function pauseAfter(tries) {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 10)) * (0.75 + Math.random() / 2);
}

/** Wait; less when somebody wakes us. Throws AbortError by `signal`. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer);
      sleepers.delete(wake);
      signal?.removeEventListener("abort", wake);
      if (signal?.aborted) {
        reject(new DOMException("", "AbortError"));
      } else {
        resolve();
      }
    };
    const timer = setTimeout(wake, milliseconds);
    sleepers.add(wake);
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) {
      wake();
    }
  });
}

/** Everybody who waits tries again now. */
export function wakeAll() {
  for (const wake of [...sleepers]) {
    wake();
  }
}

addEventListener("online", wakeAll);
// A laptop that was opened again.
document.addEventListener("visibilitychange", () => document.hidden || wakeAll());
