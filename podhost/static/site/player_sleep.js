// The sleep timer: it stops after some minutes, or at the end of the chapter.

import { clock } from "./player_time.js";

export function sleepTimerOf(player, chapters) {
  const choice = player.part("sleep");
  const left = player.part("sleep-left");
  let endsAt;
  let end;
  let beat;

  const clear = () => {
    clearInterval(beat);
    endsAt = end = undefined;
    left.textContent = "";
  };
  const stop = () => {
    clear();
    choice.value = "";
    player.audio.pause();
  };
  const look = () => {
    if (endsAt === undefined) return;
    if (Date.now() >= endsAt) stop();
    else left.textContent = player.say("stops_in", { time: clock(Math.ceil((endsAt - Date.now()) / 1000)) });
  };

  choice.addEventListener("change", () => {
    clear();
    if (choice.value === "chapter") {
      end = chapters.endOf(player.position);
      left.textContent = player.say("stops_at", { time: clock(end) });
    } else if (choice.value) {
      endsAt = Date.now() + Number(choice.value) * 60_000;
      beat = setInterval(look, 1000);
      look();
    }
  });
  player.onMove((seconds, isJump) => {
    look();
    if (end === undefined) return;
    if (isJump) {
      end = chapters.endOf(seconds);
      left.textContent = player.say("stops_at", { time: clock(end) });
    } else if (seconds >= end - 0.05) {
      const there = end;
      stop();
      // What follows begins at its beginning when somebody goes on.
      player.seek(there);
    }
  });
  player.audio.addEventListener("ended", () => {
    clear();
    choice.value = "";
  });
}
