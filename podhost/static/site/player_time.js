// Times as people write and read them; it knows no page.

/** 83 as "1:23", 3723 as "1:02:03". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Seconds of "83", "83.5s", "1:23", "1:02:03", "1h2m3s" or "npt:83,90"; null for anything else. */
export function parseTime(text) {
  const from = String(text ?? "").trim().toLowerCase().replace(/^npt:/, "").split(",")[0];
  const spelled = /^(?=\d)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d+)?)s?)?$/.exec(from);
  const written = /^(?:(\d{1,4}):)?(\d{1,6}):(\d{1,2}(?:\.\d+)?)$/.exec(from);
  const found = written ?? spelled;
  return found ? Number(found[1] ?? 0) * 3600 + Number(found[2] ?? 0) * 60 + Number(found[3] ?? 0) : null;
}

/** The seconds at which an address asks to begin: #t=1:23 (media fragments) or ?t=83; or null. */
export function timeIn(address) {
  const fragment = new URLSearchParams(address.hash.slice(1)).get("t");
  return parseTime(fragment ?? new URLSearchParams(address.search).get("t"));
}
