// One object: its lines, each unfolded on demand; a page in a frame; or just a download.

import { api, objectPath } from "./api.js";
import { attempt, empty, h, replace } from "./dom.js";
import { bytes, fullTime } from "./format.js";
import { compact, prettyText } from "./json.js";
import { sandbox } from "./mail_parts.js";

/** Show an object in `place`. */
export async function showObject(place, bucket, key) {
  const lines = h("ol.lines");
  const body = h("div.panel.object", {}, lines);
  const facts = h("p.id");
  replace(place,
    h("header.head", {}, h("a.back", { href: "#/bucket", "aria-label": "Back to the tree" }, "‹ Bucket"),
      h("h1.object-key", {}, key), facts),
    body);
  if (key.endsWith(".html")) replace(body, sandbox(objectPath(bucket, key, "page"), key));
  const first = await attempt(() => api.lines({ bucket, key }));
  if (!first) {
    replace(body, empty("This object is not here", key));
    return;
  }
  replace(facts, h("span.dim", {}, `${bytes(first.size_bytes)} · ${fullTime(first.modified_at)} UTC · ${first.kind} · ${first.etag}`),
    h("a.button", { href: objectPath(bucket, key), download: key.split("/").at(-1) }, "Download"));
  if (key.endsWith(".html")) return;
  if (first.lines === null) replace(body, empty("Not text", "Download it to look inside."));
  else if (key.endsWith(".json") && first.next === null) replace(body, prettyText(first.lines.join("\n")));
  else extend(body, lines, bucket, key, first);
}

function extend(body, lines, bucket, key, page) {
  const isJson = key.endsWith(".jsonl");
  lines.append(...page.lines.map((text) => (isJson ? jsonLine(text, page.lines.length === 1) : h("li", {}, h("code", {}, text)))));
  body.querySelector(":scope > .more")?.remove();
  if (page.next === null) return;
  const more = h("button.more", {
    type: "button",
    onclick: () => attempt(async () => extend(body, lines, bucket, key, await api.lines({ bucket, key, offset: page.next })), more),
  }, "More lines");
  body.append(more);
}

function jsonLine(text, isOpen) {
  const details = h("details", {}, h("summary", {}, compact(text.slice(0, 600))));
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) details.append(prettyText(text));
  });
  details.open = isOpen;
  return h("li", {}, details);
}
