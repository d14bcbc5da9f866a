// The rows of the list: kept, moved and changed, never built twice for the same mail.

import { badge, h } from "./dom.js";
import { fullTime, shortTime } from "./format.js";
import { nowMs } from "./live.js";

export class MailRows {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.element = h("ul.rows", { role: "list" });
    this.rows = new Map();
    this.selected = null;
    this.isFirst = true;
  }

  get count() {
    return this.rows.size;
  }

  /** Show these mails, in this order; and after them, if there are older ones, those that were shown before.
   * Returns whether there were such. */
  set(mails, isMore) {
    const before = this.rows;
    this.rows = new Map();
    for (const mail of mails) this.rows.set(mail.message_id, this.#row(mail, before.get(mail.message_id)));
    const oldest = mails.at(-1)?.number ?? 0;
    const tail = isMore ? [...before].filter(([, row]) => row.number < oldest) : [];
    for (const [id, row] of tail) this.rows.set(id, row);
    for (const [id, row] of before) if (!this.rows.has(id)) row.element.remove();
    let place = this.element.firstElementChild;
    for (const { element } of this.rows.values()) {
      if (element === place) place = place.nextElementSibling;
      else this.element.insertBefore(element, place);
    }
    this.isFirst = false;
    return tail.length > 0;
  }

  append(mails) {
    for (const mail of mails) {
      const row = this.#row(mail, this.rows.get(mail.message_id), true);
      this.rows.set(mail.message_id, row);
      this.element.append(row.element);
    }
    return false;
  }

  select(id) {
    this.#mark(this.selected, false);
    this.selected = id ?? null;
    this.#mark(this.selected, true);
  }

  /** Open the next mail, or the previous one. */
  step(by) {
    const ids = [...this.rows.keys()];
    const at = ids.indexOf(this.selected);
    const next = ids[at < 0 ? 0 : Math.min(Math.max(at + by, 0), ids.length - 1)];
    if (!next) return;
    this.onOpen(next);
    const { element } = this.rows.get(next);
    element.scrollIntoView({ block: "nearest" });
    element.firstElementChild.focus({ preventScroll: true });
  }

  #row(mail, old, isOlder = false) {
    const time = shortTime(mail.accepted_at, nowMs());
    const key = JSON.stringify([mail, time]);
    if (old?.key === key) return old;
    const link = h("a", { href: `#/mails/${encodeURIComponent(mail.message_id)}` },
      h("span.who", {}, people(mail)),
      h("time", { datetime: mail.accepted_at, title: fullTime(mail.accepted_at) }, time),
      h("span.subject", {}, mail.subject),
      h("span.from", {}, mail.from, mail.has_attachments && h("span.clip", { title: "has attachments" }, " · attachment")),
      h("span.badges", {}, Object.entries(mail.outcomes).map(([outcome, count]) => badge(outcome, count))));
    const element = old?.element ?? h("li");
    element.replaceChildren(link);
    if (!old && !this.isFirst && !isOlder) element.classList.add("fresh");
    if (mail.message_id === this.selected) link.setAttribute("aria-current", "true");
    return { key, element, number: mail.number };
  }

  #mark(id, isSelected) {
    const link = this.rows.get(id)?.element.firstElementChild;
    if (isSelected) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
  }
}

function people(mail) {
  const everyone = [...mail.to, ...mail.cc, ...mail.bcc];
  return everyone.length > 1 ? `${everyone[0]} +${everyone.length - 1}` : everyone[0] ?? "nobody";
}
