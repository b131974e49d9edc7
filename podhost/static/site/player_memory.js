// What the listener's own browser remembers: where each episode was left, and the speed.
// Nothing of it leaves the browser, and all of it may fail: storage can be full, or forbidden.

const NAME = "podhost.player";
const MOST = 200;
const END_SECONDS = 10;

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME));
    const { speed, left } = found && typeof found === "object" ? found : {};
    return { speed, left: left && typeof left === "object" ? left : {} };
  } catch {
    return { left: {} };
  }
}

function write(memory) {
  const newest = Object.entries(memory.left).sort((one, other) => other[1][1] - one[1][1]);
  try {
    localStorage.setItem(NAME, JSON.stringify({ ...memory, left: Object.fromEntries(newest.slice(0, MOST)) }));
  } catch {
    // Then it begins at the beginning the next time.
  }
}

/** Where an episode was left, in seconds; 0 where it is new or was heard to its end. */
export function recall(key) {
  const seconds = Number(read().left[key]?.[0]);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}

export function remember(key, seconds, duration) {
  const memory = read();
  const isOver = duration > 6 * END_SECONDS && duration - seconds < END_SECONDS;
  if (seconds < 1 || isOver) delete memory.left[key];
  else memory.left[key] = [Math.round(seconds * 10) / 10, Date.now()];
  write(memory);
}

export function recallSpeed() {
  const speed = Number(read().speed);
  return speed >= 0.25 && speed <= 4 ? speed : 1;
}

export function rememberSpeed(speed) {
  write({ ...read(), speed });
}
