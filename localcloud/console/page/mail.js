// One mail: what it looks like, and what became of it.

import { api } from "./api.js";
import { copy, button, empty, h, replace } from "./dom.js";
import { fullTime } from "./format.js";
import { onChange } from "./live.js";
import { PARTS } from "./mail_parts.js";
import { Timeline } from "./timeline.js";

let lastPart = "html";

export function openMail(place, id) {
  const tabs = h("div.tabs", { role: "tablist", "aria-label": "Parts of the mail" });
  const panel = h("div.panel", { role: "tabpanel", id: "part", tabindex: "0" });
  const head = h("header.head");
  const timeline = new Timeline((event) => api.simulate({ message_id: id, ...event }).then(show));
  const state = { mail: null, part: null, isClosed: false };
  replace(place, head, h("div.body", {}, h("div.look", {}, tabs, panel), timeline.element));

  function show(mail) {
    if (state.isClosed) return;
    const isFirst = !state.mail;
    state.mail = mail;
    timeline.set(mail);
    if (!isFirst) return; // what a mail says does not change
    replace(head, describe(mail));
    const names = Object.keys(PARTS).filter((name) => PARTS[name].isThere(mail));
    for (const name of names) tabs.append(tab(name));
    choose(names.includes(lastPart) ? lastPart : names[0]);
  }

  function tab(name) {
    return h("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "part",
      onclick: () => choose(name, true),
    }, PARTS[name].label(state.mail));
  }

  function choose(name, isAsked = false) {
    if (isAsked) lastPart = name;
    state.part = name;
    for (const one of tabs.children) {
      one.setAttribute("aria-selected", String(one.id === `tab-${name}`));
      one.tabIndex = one.id === `tab-${name}` ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    panel.className = `panel ${name}`;
    const click = (link, source) => timeline.simulate({ event: "click", link }, source);
    PARTS[name].show(panel, state.mail, click);
  }

  function step(by) {
    const names = [...tabs.children].map((one) => one.id.slice(4));
    choose(names[(names.indexOf(state.part) + by + names.length) % names.length], true);
  }

  tabs.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    step(by);
    tabs.querySelector("[aria-selected=true]").focus();
  });

  const load = () => api.mail(id).then(show, (error) => {
    if (!state.isClosed && !state.mail) replace(place, empty("This mail is not here", error.message));
  });
  const stop = onChange(["mails", "callbacks"], load);
  load();
  return {
    focus: () => panel.focus(),
    onkey: (event) => {
      const by = { "[": -1, "]": 1 }[event.key];
      if (by && state.mail) step(by);
      return Boolean(by);
    },
    close: () => {
      state.isClosed = true;
      stop();
    },
  };
}

function describe(mail) {
  const facts = [
    ["From", mail.from], ["To", mail.to.join(", ")], ["Cc", mail.cc.join(", ")], ["Bcc", mail.bcc.join(", ")],
    ["Sent", `${fullTime(mail.accepted_at)} UTC`],
    ["Template", mail.template_id ? `${mail.template_id} ${mail.template}` : ""],
    ["Task", mail.task_id ? String(mail.task_id) : ""],
    ...Object.entries(mail.metadata).map(([name, value]) => [name, value, "metadata"]),
  ];
  return [
    h("a.back", { href: "#/mails", "aria-label": "Back to the list" }, "‹ Mails"),
    h("h1", {}, mail.subject),
    h("dl.facts", {}, facts.filter(([, value]) => value).map(([name, value, title]) => (
      h("div", title ? { title } : {}, h("dt", {}, name), h("dd", {}, value))))),
    h("p.id", {}, h("code", {}, mail.message_id), button("Copy", () => copy(mail.message_id), {
      "aria-label": "Copy the message id",
    }, "quiet")),
  ];
}
