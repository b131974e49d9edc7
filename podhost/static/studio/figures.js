// Sizes, paces and times as people read them, in the language of the page.

import { language } from "./words.js";

const SIZES = ["kilobyte", "megabyte", "gigabyte", "terabyte"];

function unit(value, name, digits = 0) {
  const settings = { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, settings).format(value);
}

/** "52 MB", in steps of 1000, as disks and browsers count; never in bytes. */
export function sizeText(bytes) {
  let value = bytes / 1000;
  let step = 0;
  while (value >= 999.5 && step < SIZES.length - 1) {
    value /= 1000;
    step += 1;
  }
  return unit(value, SIZES[step], value < 10 && step > 0 ? 1 : 0);
}

/** "2.4 MB/s" */
export function paceText(bytesPerSecond) {
  return `${sizeText(bytesPerSecond)}/s`;
}

/** "45 sec", "12 min", "1 hr 20 min": rough, because so is what is known. */
export function spanText(seconds) {
  if (seconds < 55) {
    return unit(Math.max(5, Math.ceil(seconds / 5) * 5), "second");
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) {
    return unit(Math.max(1, minutes), "minute");
  }
  return `${unit(Math.floor(minutes / 60), "hour")} ${unit(minutes % 60, "minute")}`;
}

/** "38%" */
export function percentText(share) {
  // Not 100 % before it is all there.
  const floor = Math.floor(share * 100) / 100;
  return new Intl.NumberFormat(language, { style: "percent" }).format(floor);
}

/** "1:02:03" */
export function clockText(seconds) {
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
