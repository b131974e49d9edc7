// What a page's scripts say, in the page's language: the block of data that the template made.

const block = document.getElementById("words");
const words = block ? JSON.parse(block.textContent) : {};

/** A sentence by its name; {places} in it are filled from `values`. */
export function say(name, values = {}) {
  const sentence = words[name];
  if (sentence === undefined) throw new Error(`the page has no words for ${name}`);
  return sentence.replace(/\{(\w+)\}/g, (place, key) => (key in values ? values[key] : place));
}

/** The language of the page, for dates and numbers. */
export const language = document.documentElement.lang;
