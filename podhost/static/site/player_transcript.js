// The transcript: it follows what is heard, leads there by a click, and can be searched.

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
// What moves the text when the listener reads elsewhere.
const READING = ["wheel", "touchmove"];
const READING_KEYS = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];

export function transcriptOf(player) {
  const whole = player.section.querySelector("[data-transcript]");
  if (!whole) return;
  const text = whole.querySelector("[data-text]");
  const follows = whole.querySelector("[data-follow]");
  const cues = [...text.querySelectorAll("span[data-at]")];
  const starts = cues.map((cue) => Number(cue.dataset.at));
  let heard;
  let isSearching = false;

  const show = (element) => {
    const [inside, outside] = [element.getBoundingClientRect(), text.getBoundingClientRect()];
    const top = text.scrollTop + inside.top - outside.top - (outside.height - inside.height) / 2;
    text.scrollTo({ top, behavior: STILL.matches ? "auto" : "smooth" });
  };
  const follow = () => {
    if (heard && whole.open && follows.checked && !isSearching) show(heard);
  };

  player.onMove((seconds) => {
    const cue = cues[lastBefore(starts, seconds + 0.05)];
    if (cue === heard) return;
    heard?.classList.remove("is-heard");
    cue?.classList.add("is-heard");
    heard = cue;
    if (player.hasBegun) follow();
  });

  text.addEventListener("click", (event) => {
    const place = event.target.closest("[data-at]");
    if (!place || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // Who marks words wants to copy them.
    if (place.tagName === "SPAN" && !getSelection().isCollapsed) return;
    event.preventDefault();
    player.seek(Number(place.dataset.at), { play: true });
  });
  const letGo = () => (follows.checked = false);
  for (const kind of READING) text.addEventListener(kind, letGo, { passive: true });
  text.addEventListener("keydown", (event) => READING_KEYS.includes(event.key) && letGo());
  follows.addEventListener("change", follow);
  whole.addEventListener("toggle", follow);
  search(player, whole, text, (searching) => {
    isSearching = searching;
    follow();
  });
  whole.querySelector("[data-transcript-tools]").hidden = false;
}

/** The place in a rising list of the last number that is not above `value`; -1: there is none. */
function lastBefore(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function search(player, whole, text, tell) {
  const field = whole.querySelector("[data-find]");
  const count = whole.querySelector("[data-found]");
  let paragraphs;
  let places = [];
  let at = -1;

  const look = () => {
    paragraphs ??= [...text.children].map((element) => ({ element, ...folded(element) }));
    const wanted = fold(field.value).trim().replace(/\s+/g, " ");
    places = [];
    at = -1;
    for (const paragraph of paragraphs) {
      const found = wanted ? findAll(paragraph, wanted) : [];
      paragraph.element.hidden = wanted !== "" && !found.length;
      places.push(...found);
    }
    paint(places);
    count.textContent = !wanted ? "" : places.length ? player.say("found", { count: places.length }) : player.say("found_none");
    tell(wanted !== "");
  };
  field.addEventListener("input", look);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && places.length) {
      event.preventDefault();
      at = (at + 1) % places.length;
      const cue = places[at].startContainer.parentElement.closest("[data-at]");
      cue.scrollIntoView({ block: "nearest" });
      player.seek(Number(cue.dataset.at), { play: true });
    } else if (event.key === "Escape" && field.value) {
      event.preventDefault();
      field.value = "";
      look();
    }
  });
  // The browser keeps what was typed when the page is loaded again.
  if (field.value) look();
}

/** Without case and accents, letter by letter. */
function fold(letters) {
  return letters.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** A paragraph's words without case and accents, and where each letter of them stands. */
function folded(element) {
  let words = "";
  const origins = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest("span[data-at]")) continue;
    [...`${node.data} `].reduce((offset, letter) => {
      const plain = /\s/.test(letter) ? (words.endsWith(" ") ? "" : " ") : fold(letter);
      for (const each of plain) {
        words += each;
        origins.push([node, offset, letter.length]);
      }
      return offset + letter.length;
    }, 0);
  }
  return { words, origins };
}

function findAll({ words, origins }, wanted) {
  const found = [];
  for (let start = words.indexOf(wanted); start >= 0; start = words.indexOf(wanted, start + wanted.length)) {
    const [node, offset] = origins[start];
    const [last, place, length] = origins[start + wanted.length - 1];
    const range = document.createRange();
    range.setStart(node, offset);
    range.setEnd(last, Math.min(place + length, last.length));
    found.push(range);
  }
  return found;
}

/** Browsers that cannot paint ranges show the paragraphs that are found all the same. */
function paint(ranges) {
  if (!globalThis.CSS?.highlights || !globalThis.Highlight) return;
  CSS.highlights.set("player-found", new Highlight(...ranges));
}
