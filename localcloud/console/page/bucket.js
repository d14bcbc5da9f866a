// The bucket: a tree of prefixes on one side, an object line by line on the other.

import { api } from "./api.js";
import { attempt, empty, h, replace } from "./dom.js";
import { bytes, shortTime } from "./format.js";
import { nowMs, onChange } from "./live.js";
import { showObject } from "./object.js";

const ROOT = "";

export function showBucket(main, path) {
  const state = { bucket: "", open: new Set([ROOT]), pages: new Map(), key: null, asked: 0 };
  const choice = h("select", { "aria-label": "Bucket", onchange: () => switchTo(choice.value) });
  const tree = h("div.tree");
  const viewer = h("section.detail", { "aria-label": "Object" });
  replace(main, h("div.mails.objects", {},
    h("section.list", { "aria-label": "Objects" }, h("div.bar", {}, choice), h("div.scroll", {}, tree)), viewer));

  async function refresh() {
    const ticket = ++state.asked;
    const asked = [...state.open].map(async (prefix) => {
      const limit = Math.max(200, Math.min(state.pages.get(prefix)?.shown ?? 0, 1000));
      const page = await api.browse({ bucket: state.bucket, prefix, limit });
      return [prefix, { ...page, shown: page.folders.length + page.objects.length }];
    });
    const pages = new Map(await Promise.all(asked));
    if (ticket !== state.asked) return;
    state.pages = pages;
    draw();
  }

  async function more(prefix, after) {
    const next = await api.browse({ bucket: state.bucket, prefix, after });
    const page = state.pages.get(prefix);
    page.folders.push(...next.folders);
    page.objects.push(...next.objects);
    page.next = next.next;
    page.shown = page.folders.length + page.objects.length;
    draw();
  }

  function draw() {
    const root = state.pages.get(ROOT);
    const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.path : null;
    state.bucket = root.bucket;
    replace(choice, root.buckets.map((name) => h("option", { value: name, selected: name === root.bucket }, name)));
    replace(tree, root.shown ? branch(ROOT) : empty("The bucket is empty", "Send a mail through POST /send, or let a callback come in."));
    if (focused !== null) tree.querySelector(`[data-path="${CSS.escape(focused)}"]`)?.focus();
  }

  function branch(prefix) {
    const page = state.pages.get(prefix);
    if (!page) return null;
    return h("ul", {},
      page.folders.map((folder) => h("li", {}, node(folder, prefix), state.open.has(folder) && branch(folder))),
      page.objects.map((object) => h("li", {}, leaf(object, prefix))),
      page.next && h("li", {}, h("button.quiet", { type: "button", onclick: () => attempt(() => more(prefix, page.next)) }, "more…")));
  }

  function node(folder, prefix) {
    const isOpen = state.open.has(folder);
    return h("button.node", {
      type: "button", "aria-expanded": String(isOpen), "data-path": folder, onclick: () => toggle(folder),
    }, h("span.name", {}, folder.slice(prefix.length)));
  }

  function leaf(object, prefix) {
    const link = h("a.node.leaf", {
      href: `#/bucket/${encodeURIComponent(object.key)}`, "data-path": object.key,
      "aria-current": object.key === state.key ? "true" : null, title: object.key,
    }, h("span.name", {}, object.key.slice(prefix.length)), h("span.dim", {}, bytes(object.size_bytes)),
    h("span.dim", {}, shortTime(object.modified_at, nowMs())));
    return link;
  }

  async function toggle(folder) {
    if (!state.open.delete(folder)) state.open.add(folder);
    await attempt(refresh);
  }

  function switchTo(bucket) {
    state.bucket = bucket;
    state.open = new Set([ROOT]);
    location.hash = "#/bucket";
    attempt(refresh);
  }

  function open([key]) {
    state.key = key ?? null;
    document.body.classList.toggle("reading", Boolean(key));
    for (const link of tree.querySelectorAll(".leaf")) {
      if (link.dataset.path === key) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (!key) {
      replace(viewer, empty("No object is open", "Unfold a prefix and choose one."));
      return;
    }
    for (let at = key.indexOf("/"); at >= 0; at = key.indexOf("/", at + 1)) state.open.add(key.slice(0, at + 1));
    showObject(viewer, state.bucket, key);
  }

  open(path);
  attempt(refresh);
  const stop = onChange(["bucket"], refresh);
  return {
    update: (next) => {
      open(next);
      attempt(refresh);
    },
    onkey: (event) => {
      if (event.key === "Escape") location.hash = "#/bucket";
      return event.key === "Escape";
    },
    close: () => {
      stop();
      document.body.classList.remove("reading");
    },
  };
}
