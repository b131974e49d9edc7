// A timeline under a player: the waveform, where it is made, the playhead, marks and spans.

import { call } from "./api.js";
import { seek } from "./listening.js";
import { shortTime } from "./times.js";
import { say } from "./words.js";

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const NEAR_PX = 8;
const SHORTEST_VIEW_MS = 4000;
const LONGEST_WAIT_S = 300;

/**
 * `marks` are {ms, label}; `spans` are {startMs, endMs, label}. `onMove(index, ms)` is called while a
 * mark is dragged and `onMoved(index)` at its end; `onSpan(startMs, endMs)` when a part is chosen
 * with Shift held.
 */
export class Timeline {
  constructor(root, audio, { onMove, onMoved, onSpan } = {}) {
    Object.assign(this, { root, audio, onMove, onMoved, onSpan });
    this.durationMs = Number(root.dataset.durationMs);
    this.canvas = root.querySelector("canvas");
    this.status = root.querySelector("[data-status]");
    this.slider = root.querySelector("[role=slider]");
    this.marks = [];
    this.spans = [];
    this.peaks = [];
    this.fromMs = 0;
    this.toMs = this.durationMs;
    this.listen();
    this.load();
  }

  show(marks, spans = []) {
    this.marks = marks;
    this.spans = spans;
    this.drawSoon();
  }

  get nowMs() {
    return Math.round(this.audio.currentTime * 1000);
  }

  // What it looks like

  drawSoon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ink = colour("--ink");
    pen.font = `12px ${style.fontFamily}`;
    this.drawSpans(pen, height, colour("--accent"));
    this.drawRuler(pen, width, height, colour("--line"), colour("--quiet"));
    this.drawPeaks(pen, width, height, colour("--quiet"), colour("--accent"));
    this.drawMarks(pen, width, height, ink, colour("--paper"));
    const x = this.xOf(this.nowMs);
    pen.fillStyle = ink;
    pen.fillRect(Math.round(x) - 1, 0, 2, height);
    pen.beginPath();
    pen.moveTo(x - 6, height);
    pen.lineTo(x + 6, height);
    pen.lineTo(x, height - 8);
    pen.fill();
  }

  drawPeaks(pen, width, height, quiet, accent) {
    const middle = (height + 18) / 2;
    const reach = (height - 18) / 2 - 8;
    if (!this.peaks.length) {
      pen.fillStyle = quiet;
      pen.fillRect(0, middle, width, 1);
      return;
    }
    const perMs = this.peaks.length / this.durationMs;
    const playedX = this.xOf(this.nowMs);
    for (let x = 0; x < width; x += 3) {
      const first = Math.floor(this.msOf(x) * perMs);
      const last = Math.max(first + 1, Math.ceil(this.msOf(x + 3) * perMs));
      let peak = 0;
      for (let at = first; at < last && at < this.peaks.length; at += 1) {
        if (this.peaks[at] > peak) peak = this.peaks[at];
      }
      // So that quiet voices are seen beside loud ones.
      const level = Math.min(1, peak / this.loud) ** 0.7;
      const tall = Math.max(1, level * reach);
      pen.fillStyle = x < playedX ? accent : quiet;
      pen.fillRect(x, middle - tall, 2, 2 * tall);
    }
  }

  drawRuler(pen, width, height, line, quiet) {
    const wantedMs = ((this.toMs - this.fromMs) * 90) / width;
    const stepMs = (STEPS_S.find((step) => step * 1000 >= wantedMs) ?? 14400) * 1000;
    pen.textBaseline = "top";
    for (let ms = Math.ceil(this.fromMs / stepMs) * stepMs; ms < this.toMs; ms += stepMs) {
      const x = Math.round(this.xOf(ms));
      pen.fillStyle = line;
      pen.fillRect(x, 0, 1, height);
      pen.fillStyle = quiet;
      pen.fillText(shortTime(ms), x + 4, 2);
    }
  }

  drawSpans(pen, height, accent) {
    pen.globalAlpha = 0.22;
    pen.fillStyle = accent;
    for (const span of this.spans) {
      const x = this.xOf(span.startMs);
      pen.fillRect(x, 18, Math.max(2, this.xOf(span.endMs) - x), height - 18);
    }
    pen.globalAlpha = 1;
  }

  drawMarks(pen, width, height, ink, paper) {
    this.marks.forEach((mark, index) => {
      const x = Math.round(this.xOf(mark.ms));
      if (x < -12 || x > width + 12) return;
      pen.fillStyle = ink;
      pen.fillRect(x, 18, 1, height - 18);
      const middle = Math.min(width - 10, Math.max(10, x));
      pen.beginPath();
      pen.arc(middle, 26, 9, 0, 2 * Math.PI);
      pen.fill();
      pen.fillStyle = paper;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(mark.label ?? String(index + 1), middle, 26.5, 16);
      pen.textAlign = "start";
    });
  }

  xOf(ms) {
    return ((ms - this.fromMs) / (this.toMs - this.fromMs)) * this.canvas.clientWidth;
  }

  msOf(x) {
    return this.fromMs + (x / this.canvas.clientWidth) * (this.toMs - this.fromMs);
  }

  // What it does

  zoom(share, aroundMs = this.nowMs) {
    const before = this.toMs - this.fromMs;
    const after = Math.min(this.durationMs, Math.max(SHORTEST_VIEW_MS, before * share));
    const inside = aroundMs >= this.fromMs && aroundMs <= this.toMs;
    const place = inside ? (aroundMs - this.fromMs) / before : 0.5;
    this.look(aroundMs - place * after, after);
  }

  look(fromMs, lengthMs = this.toMs - this.fromMs) {
    this.fromMs = Math.max(0, Math.min(fromMs, this.durationMs - lengthMs));
    this.toMs = this.fromMs + lengthMs;
    this.drawSoon();
  }

  follow() {
    const lengthMs = this.toMs - this.fromMs;
    const now = this.nowMs;
    if (now < this.fromMs || now > this.toMs) this.look(now - lengthMs * 0.1, lengthMs);
    // Whoever hears the page read to them wants to hear the episode while it plays.
    if (this.audio.paused || document.activeElement !== this.slider) {
      this.slider.setAttribute("aria-valuenow", String(Math.round(now / 1000)));
      this.slider.setAttribute("aria-valuetext", shortTime(now));
    }
    this.drawSoon();
  }

  listen() {
    const { audio, slider, root } = this;
    for (const name of ["timeupdate", "seeked", "seeking"]) {
      audio.addEventListener(name, () => this.follow());
    }
    new ResizeObserver(() => this.drawSoon()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawSoon());
    slider.addEventListener("pointerdown", (event) => this.press(event));
    slider.addEventListener("pointermove", (event) => this.hover(event));
    slider.addEventListener("keydown", (event) => this.key(event));
    slider.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    root.querySelector("[data-zoom-in]")?.addEventListener("click", () => this.zoom(0.5));
    root.querySelector("[data-zoom-out]")?.addEventListener("click", () => this.zoom(2));
    this.follow();
  }

  key(event) {
    const step = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: -step,
      ArrowDown: -step,
      ArrowRight: step,
      ArrowUp: step,
      PageDown: -30,
      PageUp: 30,
    };
    const now = this.audio.currentTime;
    if (event.key in moves) seek(this.audio, now + moves[event.key]);
    else if (event.key === "Home") seek(this.audio, 0);
    else if (event.key === "End") seek(this.audio, this.durationMs / 1000 - 1);
    else if (event.key === "+") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else return;
    event.preventDefault();
  }

  wheel(event) {
    const isWide = this.toMs - this.fromMs >= this.durationMs;
    if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.msOf(event.offsetX));
    else if (event.deltaX && !isWide) this.look(this.fromMs + (event.deltaX / this.canvas.clientWidth) * (this.toMs - this.fromMs));
    else return;
    event.preventDefault();
  }

  markAt(x) {
    let best = -1;
    let near = NEAR_PX + 2;
    this.marks.forEach((mark, index) => {
      const away = Math.abs(this.xOf(mark.ms) - x);
      if (away < near) [best, near] = [index, away];
    });
    return this.onMove ? best : -1;
  }

  hover(event) {
    if (event.buttons) return;
    this.slider.classList.toggle("is-over-mark", this.markAt(event.offsetX) >= 0);
  }

  press(event) {
    if (event.button !== 0) return;
    const left = this.canvas.getBoundingClientRect().left;
    const at = (moved) => Math.round(Math.min(this.durationMs, Math.max(0, this.msOf(moved.clientX - left))));
    const mark = this.markAt(event.clientX - left);
    const startMs = at(event);
    const isSpan = event.shiftKey && this.onSpan;
    const move = (moved) => {
      // To the tenth of a second: nobody hears more, and the times stay short.
      if (mark >= 0) this.onMove(mark, Math.min(this.durationMs - 100, Math.round(at(moved) / 100) * 100));
      else if (isSpan) this.onSpan(Math.min(startMs, at(moved)), Math.max(startMs, at(moved)));
      else seek(this.audio, at(moved) / 1000);
    };
    const end = () => {
      this.slider.removeEventListener("pointermove", move);
      if (mark >= 0) this.onMoved?.(mark);
    };
    this.slider.setPointerCapture(event.pointerId);
    this.slider.addEventListener("pointermove", move);
    this.slider.addEventListener("pointerup", end, { once: true });
    this.slider.addEventListener("pointercancel", end, { once: true });
    if (mark < 0 && !isSpan) move(event);
  }

  // Where the waveform comes from

  async load() {
    const url = this.root.dataset.waveform;
    if (!url) return;
    try {
      let found = await call("GET", url);
      if (found.state === "missing" && this.root.dataset.mayAsk) found = await call("POST", url);
      for (let waited = 0; found.state === "waiting" && waited < LONGEST_WAIT_S; ) {
        this.tell(say("waveform_waiting"));
        const seconds = Math.min(5, 1 + waited / 5);
        await new Promise((done) => setTimeout(done, seconds * 1000));
        waited += seconds;
        found = await call("GET", url);
      }
      this.tell(found.state === "ready" && !found.peaks.length ? say("waveform_none") : "");
      this.use(found.peaks ?? []);
    } catch {
      // The timeline is of use without it.
      this.tell(say("waveform_none"));
    }
  }

  use(peaks) {
    this.peaks = peaks;
    // A single click must not make everything else look silent.
    const ordered = [...peaks].sort((one, other) => one - other);
    this.loud = ordered[Math.floor(ordered.length * 0.995)] || 255;
    this.root.dataset.ready = peaks.length ? "waveform" : "plain";
    this.drawSoon();
  }

  tell(sentence) {
    this.status.textContent = sentence;
  }
}

