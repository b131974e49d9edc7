// A transcript's cues as values: read from JSON, changed, and written as WebVTT. It touches no page.

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const two = (number, width = 2) => String(number).padStart(width, "0");

/** The segments of the podcast namespace's JSON. */
export function readCues(document) {
  return document.segments.map((segment) => ({
    startMs: Math.round(segment.startTime * 1000),
    endMs: Math.round((segment.endTime ?? segment.startTime) * 1000),
    speaker: segment.speaker ?? "",
    text: segment.body ?? "",
  }));
}

function vttTime(ms) {
  return `${two(Math.floor(ms / 3_600_000))}:${two(Math.floor(ms / 60_000) % 60)}:${two(Math.floor(ms / 1000) % 60)}.${two(ms % 1000, 3)}`;
}

/** Cues without words are left out; blank lines would end a cue, so they go. */
export function writeVtt(cues) {
  const blocks = ["WEBVTT"];
  for (const cue of cues) {
    const text = cue.text.split("\n").map((line) => line.trim()).filter(Boolean).join("\n");
    if (!text) continue;
    const speaker = cue.speaker.trim().replace(/\s+/g, " ");
    const voice = speaker ? `<v ${escape(speaker)}>` : "";
    const endMs = Math.max(cue.endMs, cue.startMs + 1);
    blocks.push(`${vttTime(cue.startMs)} --> ${vttTime(endMs)}\n${voice}${escape(text)}`);
  }
  return `${blocks.join("\n\n")}\n`;
}

/** Two cues out of one, at a place in its text; at `nowMs` where that is inside, else by length. */
export function splitCue(cue, at, nowMs) {
  const inside = nowMs > cue.startMs && nowMs < cue.endMs;
  const share = cue.text.length ? at / cue.text.length : 0.5;
  const middle = inside ? nowMs : Math.round(cue.startMs + share * (cue.endMs - cue.startMs));
  return [
    { ...cue, endMs: middle, text: cue.text.slice(0, at).trimEnd() },
    { ...cue, startMs: middle, text: cue.text.slice(at).trimStart() },
  ];
}

/** One cue out of two; the first one's speaker speaks. */
export function mergeCues(one, other) {
  const text = [one.text.trimEnd(), other.text.trimStart()].filter(Boolean).join(" ");
  return { ...one, endMs: Math.max(one.endMs, other.endMs), speaker: one.speaker || other.speaker, text };
}

/** The place of the cue that is heard at a moment, or of the last one before it; -1 before all. */
export function cueAt(cues, ms) {
  let low = 0;
  let high = cues.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cues[middle].startMs <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Finds words in texts and names: a pattern that matches them literally. */
export function patternFor(words, matchesCase) {
  return new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), matchesCase ? "g" : "gi");
}
