// The listeners' player: what is on the page before works without it, and goes on working if it fails.

import { chaptersOf } from "./player_chapters.js";
import { recall, recallSpeed, remember, rememberSpeed } from "./player_memory.js";
import { sleepTimerOf } from "./player_sleep.js";
import { clock, timeIn } from "./player_time.js";
import { transcriptOf } from "./player_transcript.js";
import { shareOf } from "./share.js";

const BACK_SECONDS = 15;
const FORWARD_SECONDS = 30;
const ARROW_SECONDS = 5;
const SAVE_EVERY_MS = 5000;
const GUESS_SECONDS = 3;
const players = [];

class Player {
  constructor(section) {
    this.section = section;
    this.audio = section.querySelector("audio");
    this.words = JSON.parse(this.part("words").textContent);
    this.hasBegun = false;
    this.listeners = [];
    // Where to begin once the audio is there, which is fetched when somebody wants to hear it.
    this.pending = null;
  }

  part(name) {
    return this.section.querySelector(`[data-part="${name}"]`);
  }

  say(name, values = {}) {
    return this.words[name].replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
  }

  tell(name, values) {
    this.part("status").textContent = name ? this.say(name, values) : "";
  }

  get duration() {
    const told = Number(this.section.dataset.duration) || 0;
    const { duration } = this.audio;
    // Of many files browsers only guess how long they are.
    const isKnown = Number.isFinite(duration) && Math.abs(duration - told) > GUESS_SECONDS;
    return isKnown && duration > 0 ? duration : told;
  }

  get position() {
    return this.pending ?? this.audio.currentTime;
  }

  /** `heard(seconds, isJump)` is called whenever the position is another one. */
  onMove(heard) {
    this.listeners.push(heard);
  }

  moved(isJump = false) {
    for (const heard of this.listeners) heard(this.position, isJump);
  }

  seek(seconds, { play = false } = {}) {
    const there = Math.min(Math.max(0, seconds), this.duration || Infinity);
    if (this.audio.readyState > 0 && !this.audio.error) this.audio.currentTime = there;
    else this.pending = there;
    this.tell("");
    this.moved(true);
    if (play) this.play();
  }

  play() {
    this.fail("");
    if (this.audio.error) this.audio.load();
    // What keeps it from playing is said by its `error`; that it may not, by nothing.
    this.audio.play().catch(() => {});
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  get speeds() {
    return [...this.part("speed").options].map((option) => Number(option.value));
  }

  setSpeed(speed) {
    if (!this.speeds.includes(speed)) return;
    // Loading goes back to the default.
    this.audio.defaultPlaybackRate = this.audio.playbackRate = speed;
    this.part("speed").value = String(speed);
  }

  /** The next faster or slower of the speeds to choose from. */
  step(by) {
    const speed = this.speeds[this.speeds.indexOf(this.audio.playbackRate) + by];
    if (!speed) return;
    this.setSpeed(speed);
    rememberSpeed(speed);
    this.tell("speed_now", { speed });
  }

  setMuted(isMuted) {
    this.audio.muted = isMuted;
    this.part("mute").setAttribute("aria-pressed", String(isMuted));
  }

  /** Say what is wrong, beside a way to try again and the file itself; "" takes it back. */
  fail(name) {
    this.part("error").hidden = !name;
    this.part("error-text").textContent = name ? this.say(name) : "";
  }

  save() {
    if (this.hasBegun) remember(this.section.dataset.key, this.position, this.duration);
  }
}

function wire(player) {
  const { audio } = player;
  const face = player.part("face");
  const chapters = chaptersOf(player);
  wireBar(player, chapters);
  wireAudio(player);
  wireMemory(player);
  transcriptOf(player);
  sleepTimerOf(player, chapters);
  shareOf(player);
  player.section.addEventListener("keydown", (event) => onKey(player, event));
  player.part("play").addEventListener("click", () => player.toggle());
  player.part("back").addEventListener("click", () => player.seek(player.position - BACK_SECONDS));
  player.part("forward").addEventListener("click", () => player.seek(player.position + FORWARD_SECONDS));
  player.part("mute").addEventListener("click", () => player.setMuted(!audio.muted));
  player.part("retry").addEventListener("click", () => player.play());
  player.part("restart").addEventListener("click", () => {
    player.seek(0, { play: true });
    player.part("play").focus();
  });
  const speed = player.part("speed");
  speed.addEventListener("change", () => {
    player.setSpeed(Number(speed.value));
    rememberSpeed(Number(speed.value));
  });
  audio.addEventListener("play", () => announce(player, chapters));
  // Safari gives a button that is clicked no focus; whoever clicks here wants the keys too.
  player.section.tabIndex = -1;
  audio.controls = false;
  audio.hidden = true;
  face.hidden = false;
  player.moved();
}

function wireBar(player, chapters) {
  const bar = player.part("seek");
  const bubble = player.part("bubble");
  let isHeld = false;
  const draw = (seconds) => {
    const share = player.duration ? Math.min(1, seconds / player.duration) : 0;
    bar.parentElement.style.setProperty("--heard", String(share));
    const title = chapters.find(seconds)?.title;
    const times = { time: clock(seconds), whole: clock(player.duration) };
    bar.setAttribute("aria-valuetext", player.say("position", times) + (title ? `, ${title}` : ""));
    player.part("now").textContent = times.time;
  };
  const measure = () => {
    bar.max = String(Math.ceil(player.duration));
    player.part("whole").textContent = clock(player.duration);
    chapters.mark();
    player.moved();
  };
  player.onMove((seconds) => {
    if (isHeld) return;
    bar.value = String(seconds);
    draw(seconds);
  });
  bar.addEventListener("input", () => {
    isHeld = true;
    draw(Number(bar.value));
  });
  bar.addEventListener("change", () => {
    isHeld = false;
    player.seek(Number(bar.value));
  });
  // Where it is let go at the value that it had, nothing has changed.
  for (const kind of ["pointerup", "pointercancel", "blur"]) {
    bar.addEventListener(kind, () => setTimeout(() => (isHeld = false)));
  }
  bar.addEventListener("pointermove", (event) => {
    const box = bar.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const seconds = share * player.duration;
    bubble.textContent = [clock(seconds), chapters.find(seconds)?.title].filter(Boolean).join(" · ");
    bubble.style.setProperty("--at", `${share * 100}%`);
  });
  player.audio.addEventListener("durationchange", measure);
  measure();
}

function wireAudio(player) {
  const { audio, section } = player;
  const button = player.part("play");
  const show = () => {
    section.dataset.state = audio.paused ? "paused" : "playing";
    button.setAttribute("aria-label", player.say(audio.paused ? "play" : "pause"));
  };
  audio.addEventListener("loadedmetadata", () => {
    if (player.pending === null) return;
    const seconds = player.pending;
    player.pending = null;
    audio.currentTime = seconds;
  });
  audio.addEventListener("play", () => {
    player.hasBegun = true;
    player.part("restart").hidden = true;
    player.tell("");
    show();
    for (const other of players) if (other !== player) other.audio.pause();
  });
  for (const kind of ["pause", "playing", "ended"]) audio.addEventListener(kind, show);
  audio.addEventListener("waiting", () => (section.dataset.state = "waiting"));
  audio.addEventListener("timeupdate", () => {
    if (player.pending === null) player.moved();
  });
  audio.addEventListener("error", () => {
    player.pending = player.position;
    // A browser goes on saying that it plays.
    audio.pause();
    player.fail("failed");
    show();
  });
  const { type } = section.dataset;
  if (type && !audio.canPlayType(type)) player.fail("cannot_play");
}

function wireMemory(player) {
  const { audio, section } = player;
  let savedAt = 0;
  player.setSpeed(recallSpeed());
  audio.addEventListener("timeupdate", () => {
    if (audio.paused || Math.abs(Date.now() - savedAt) < SAVE_EVERY_MS) return;
    savedAt = Date.now();
    player.save();
  });
  audio.addEventListener("pause", () => player.save());
  audio.addEventListener("ended", () => remember(section.dataset.key, 0, 0));
  addEventListener("pagehide", () => player.save());
  const asked = players.length ? null : timeIn(location);
  const seconds = asked ?? recall(section.dataset.key);
  if (!seconds || (player.duration && seconds >= player.duration)) return;
  player.seek(seconds);
  if (asked !== null) return;
  player.tell("goes_on", { time: clock(seconds) });
  player.part("restart").hidden = false;
}

/** What the system shows on a lock screen, and its keys. */
function announce(player, chapters) {
  if (!("mediaSession" in navigator)) return;
  const { title, show, artwork } = player.section.dataset;
  const { mediaSession } = navigator;
  mediaSession.metadata = new MediaMetadata({ title, artist: show, artwork: artwork ? [{ src: artwork }] : [] });
  const doings = {
    play: () => player.play(),
    pause: () => player.audio.pause(),
    seekbackward: ({ seekOffset }) => player.seek(player.position - (seekOffset || BACK_SECONDS)),
    seekforward: ({ seekOffset }) => player.seek(player.position + (seekOffset || FORWARD_SECONDS)),
    seekto: ({ seekTime }) => player.seek(seekTime),
    previoustrack: chapters.count ? chapters.previous : null,
    nexttrack: chapters.count ? chapters.next : null,
  };
  for (const [name, doing] of Object.entries(doings)) {
    try {
      mediaSession.setActionHandler(name, doing);
    } catch {
      // Not every browser knows them all.
    }
  }
}

function onKey(player, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  // Letters typed into a field are text; a list is chosen from by letters.
  if (target.matches("select, textarea, input:not([type=range], [type=checkbox])")) return;
  // What a space bar presses by itself; of links it is only Enter that opens them.
  const isOwn = target.matches("button, summary, [type=checkbox]");
  const isText = target.matches("[data-text]");
  const doing = doingOf(player, key);
  if (!doing || (key === " " && (isOwn || isText))) return;
  event.preventDefault();
  doing();
}

function doingOf(player, key) {
  if (/^\d$/.test(key)) return () => player.seek((player.duration * Number(key)) / 10);
  return {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    j: () => player.seek(player.position - BACK_SECONDS),
    l: () => player.seek(player.position + FORWARD_SECONDS),
    ArrowLeft: () => player.seek(player.position - ARROW_SECONDS),
    ArrowRight: () => player.seek(player.position + ARROW_SECONDS),
    m: () => player.setMuted(!player.audio.muted),
    "<": () => player.step(-1),
    ">": () => player.step(1),
  }[key.length === 1 ? key.toLowerCase() : key];
}

for (const section of document.querySelectorAll("[data-player]")) {
  const player = new Player(section);
  wire(player);
  players.push(player);
  section.dataset.ready = "";
}

// A link in the notes to a time of the same page, or an address that is changed by hand.
addEventListener("hashchange", () => {
  const seconds = location.hash.includes("t=") ? timeIn(location) : null;
  if (seconds !== null) players[0]?.seek(seconds, { play: true });
});
