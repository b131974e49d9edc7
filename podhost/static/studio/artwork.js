// The page of a picture: what is wrong with it is said before it is sent, and a square is chosen.

import { call } from "./api.js";
import { language, say } from "./words.js";

const form = document.querySelector("[data-artwork]");
const file = form.querySelector("[type=file]");
const cropper = form.querySelector("[data-cropper]");
const canvas = cropper.querySelector("canvas");
const [zoom, across, down] = ["zoom", "across", "down"].map((name) => cropper.querySelector(`[data-${name}]`));
const verdict = form.querySelector("[data-verdict]");
const problem = form.querySelector("[data-problem]");
const send = form.querySelector("[type=submit]");
const LEAST = Number(form.dataset.least);
const MOST_BYTES = Number(form.dataset.mostBytes);
const MOST_PIXELS = Number(form.dataset.mostPixels);
let picture = null;
let square = { x: 0, y: 0, side: 0 };

const number = (value) => new Intl.NumberFormat(language).format(value);
const tell = (name, values) => say(name, Object.fromEntries(Object.entries(values).map(([key, value]) => [key, number(value)])));

function judge(chosen) {
  const { width, height } = picture;
  if (chosen.size > MOST_BYTES) return say("too_many_bytes");
  if (width * height > MOST_PIXELS) return tell("too_many_pixels", { width, height });
  if (Math.min(width, height) < LEAST) return tell("too_small", { width, height });
  return "";
}

async function open() {
  const chosen = file.files[0];
  refuse("");
  verdict.textContent = "";
  cropper.hidden = true;
  picture?.close();
  picture = null;
  if (!chosen) return;
  try {
    picture = await createImageBitmap(chosen);
  } catch {
    refuse(say("no_picture"));
    return;
  }
  const wrong = judge(chosen);
  const side = Math.min(picture.width, picture.height);
  square = { x: Math.round((picture.width - side) / 2), y: Math.round((picture.height - side) / 2), side };
  cropper.hidden = false;
  zoom.min = "1";
  zoom.max = String(Math.max(1, side / Math.min(side, LEAST)));
  zoom.step = "0.01";
  zoom.value = "1";
  refuse(wrong);
  show();
}

function refuse(sentence) {
  problem.textContent = sentence;
  problem.hidden = !sentence;
  send.disabled = Boolean(sentence);
}

function place(x, y, side = square.side) {
  const whole = Math.min(picture.width, picture.height);
  const wide = Math.round(Math.min(whole, Math.max(Math.min(whole, LEAST), side)));
  square = {
    side: wide,
    x: Math.round(Math.min(picture.width - wide, Math.max(0, x))),
    y: Math.round(Math.min(picture.height - wide, Math.max(0, y))),
  };
  show();
}

function scale(side) {
  const middle = { x: square.x + square.side / 2, y: square.y + square.side / 2 };
  place(middle.x - side / 2, middle.y - side / 2, side);
}

function show() {
  const whole = Math.min(picture.width, picture.height);
  for (const name of ["x", "y", "side"]) form.elements[name].value = String(square[name]);
  zoom.value = String(whole / square.side);
  for (const [range, at, most] of [[across, square.x, picture.width - square.side], [down, square.y, picture.height - square.side]]) {
    range.max = String(most);
    range.value = String(at);
    range.disabled = most === 0;
  }
  zoom.disabled = whole <= LEAST;
  draw();
  if (!problem.hidden) return;
  verdict.textContent = tell(square.side >= 3000 ? "fine_3000" : "fine", { side: square.side });
}

function draw() {
  for (const target of [canvas, ...form.querySelectorAll("[data-small]")]) {
    const pen = target.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.clearRect(0, 0, target.width, target.height);
    pen.drawImage(picture, square.x, square.y, square.side, square.side, 0, 0, target.width, target.height);
  }
}

file.addEventListener("change", open);
zoom.addEventListener("input", () => scale(Math.min(picture.width, picture.height) / Number(zoom.value)));
across.addEventListener("input", () => place(Number(across.value), square.y));
down.addEventListener("input", () => place(square.x, Number(down.value)));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  scale(square.side * (event.deltaY > 0 ? 1.08 : 0.93));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  const begin = { ...square, clientX: event.clientX, clientY: event.clientY };
  const perPixel = square.side / canvas.clientWidth;
  const move = (moved) => place(begin.x - (moved.clientX - begin.clientX) * perPixel, begin.y - (moved.clientY - begin.clientY) * perPixel);
  canvas.setPointerCapture(event.pointerId);
  canvas.addEventListener("pointermove", move);
  const end = () => canvas.removeEventListener("pointermove", move);
  canvas.addEventListener("pointerup", end, { once: true });
  canvas.addEventListener("pointercancel", end, { once: true });
});
canvas.addEventListener("keydown", (event) => {
  const step = square.side / (event.shiftKey ? 10 : 50);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key in moves) place(square.x + moves[event.key][0], square.y + moves[event.key][1]);
  else if (event.key === "+") scale(square.side * 0.93);
  else if (event.key === "-") scale(square.side * 1.08);
  else return;
  event.preventDefault();
});

for (const name of ["dragover", "drop"]) {
  form.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (name === "drop" && event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      open();
    }
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!file.files[0]) {
    refuse(say("choose"));
    send.disabled = false;
    return;
  }
  send.disabled = true;
  verdict.textContent = say("sending");
  const body = new FormData();
  body.set("artwork", file.files[0]);
  for (const name of ["x", "y", "side"]) body.set(name, form.elements[name].value);
  try {
    await call("PUT", form.dataset.api, { body });
    location.assign(form.dataset.done);
  } catch (error) {
    verdict.textContent = "";
    refuse(error.message);
    send.disabled = false;
    problem.focus();
  }
});
