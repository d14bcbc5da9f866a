// JSON, laid out and coloured, as elements.

import { h } from "./dom.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONGEST_COLOURED = 200_000;

/** A value, laid out. */
export function pretty(value) {
  return coloured(JSON.stringify(value, null, 2));
}

/** Text that may be JSON: laid out if it is, as it stands if not. */
export function prettyText(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return h("pre.json", {}, text);
  }
}

/** JSON on one line, coloured. */
export function compact(text) {
  const code = coloured(text, "code");
  code.classList.add("compact");
  return code;
}

function coloured(text, tag = "pre") {
  const element = h(`${tag}.json`);
  if (text.length > LONGEST_COLOURED) {
    element.append(text);
    return element;
  }
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [all, string, colon] = match;
    element.append(text.slice(at, match.index));
    const kind = string ? (colon ? "key" : "string") : /[tfn]/.test(all[0]) ? "word" : "number";
    element.append(h(`span.${kind}`, {}, string ?? all), colon ?? "");
    at = match.index + all.length;
  }
  element.append(text.slice(at));
  return element;
}
