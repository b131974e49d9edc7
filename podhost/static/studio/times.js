// Moments in audio: milliseconds here, 1:02:03.5 for people. It touches no page.

const WRITTEN = /^(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,6})(?:[.,](\d{1,9}))?$/;

/** As people read it: 0:01:30, or 0:01:30.25 where there are fractions of a second. */
export function clockTime(ms) {
  const whole = Math.max(0, Math.round(ms));
  const seconds = Math.floor(whole / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const rest = whole % 1000;
  return rest ? `${clock}.${String(rest).padStart(3, "0").replace(/0+$/, "")}` : clock;
}

/** The same for the eye, without what nobody needs: 1:30, 1:02:03. */
export function shortTime(ms) {
  return clockTime(Math.round(ms / 1000) * 1000).replace(/^0:0?/, "");
}

/** The milliseconds that were written; null for what is no time. */
export function readClockTime(text) {
  const found = WRITTEN.exec(text.trim());
  if (!found) return null;
  const [, hours = 0, minutes = 0, seconds, fraction = ""] = found;
  return (
    (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 +
    Number(fraction.padEnd(3, "0").slice(0, 3))
  );
}
