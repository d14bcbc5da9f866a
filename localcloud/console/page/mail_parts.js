// The tabs of a mail. What the mail itself says is shown in a frame without script and without an origin, or as text.

import { mailPath, sourceOf } from "./api.js";
import { button, empty, h, replace } from "./dom.js";
import { bytes } from "./format.js";
import { pretty } from "./json.js";

export const PARTS = {
  html: {
    isThere: (mail) => mail.has_html,
    label: () => "HTML",
    show: (panel, mail) => replace(panel, mail.remote.length ? remoteNote(mail) : null, sandbox(mailPath(mail.message_id, "/html"), "The mail as it would look")),
  },
  text: {
    isThere: (mail) => Boolean(mail.text) || !mail.has_html,
    label: () => "Text",
    show: (panel, mail) => replace(panel, mail.text ? h("pre.prose", {}, mail.text) : empty("Nothing to see", lost(mail))),
  },
  links: {
    isThere: (mail) => mail.links.length > 0,
    label: (mail) => ["Links", count(mail.links)],
    show: (panel, mail, click) => replace(panel, h("ul.plain", {}, mail.links.map((link) => h("li", {},
      h("div", {}, h("strong", {}, link.text || "(no text)"), h("code", {}, link.address)),
      button("Click it", (event) => click(link.address, event.target), { title: "A simulated click, told to the webhook" }))))),
  },
  source: {
    isThere: () => true,
    label: () => "Source",
    show: async (panel, mail) => {
      replace(panel, h("p.note", {}, "Loading…"));
      const source = await sourceOf(mail.message_id);
      if (!panel.classList.contains("source")) return;
      replace(panel, download(mailPath(mail.message_id, "/source"), "Download .eml"), h("pre", {}, source));
    },
  },
  headers: {
    isThere: () => true,
    label: () => "Headers",
    show: (panel, mail) => replace(panel, h("table", {}, h("tbody", {}, mail.headers.map(([name, value]) => (
      h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))))),
  },
  attachments: {
    isThere: (mail) => mail.attachments.length > 0,
    label: (mail) => ["Attachments", count(mail.attachments)],
    show: (panel, mail) => replace(panel, h("ul.plain", {}, mail.attachments.map((one, number) => h("li", {},
      h("div", {}, h("strong", {}, one.name), h("span.dim", {}, bytes(one.size_bytes))),
      download(mailPath(mail.message_id, `/attachments/${number}`), "Download", one.name))))),
  },
  request: {
    isThere: () => true,
    label: () => "Request",
    show: (panel, mail) => replace(panel, download(mailPath(mail.message_id, "/request"), "Download .json"), pretty(mail.request)),
  },
};

/** A frame for a page that somebody else wrote; the server sends it with a policy that says the same once more. */
export function sandbox(src, title) {
  return h("iframe", { src, title, sandbox: "", referrerpolicy: "no-referrer", loading: "eager" });
}

const count = (list) => h("b", {}, String(list.length));

function download(href, label, name = "") {
  return h("a.button", { href, download: name }, label);
}

function remoteNote(mail) {
  const list = mail.remote.map((address) => h("li", {}, h("code", {}, address)));
  const what = list.length === 1 ? "1 remote image or style is not loaded" : `${list.length} remote images or styles are not loaded`;
  return h("details.remote", {}, h("summary", {}, what), h("ul", {}, list));
}

function lost(mail) {
  return mail.template_id ? "The template has no content any more." : "The mail has neither HTML nor text.";
}
