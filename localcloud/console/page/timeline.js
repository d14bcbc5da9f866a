// What became of a mail, recipient by recipient, and the buttons that make something become of it.

import { attempt, badge, button, h, replace, toast } from "./dom.js";
import { fullTime, since } from "./format.js";
import { prettyText } from "./json.js";

const EVENTS = [
  ["Deliver", { event: "delivered" }], ["Open", { event: "open" }], ["Click", { event: "click" }],
  ["Bounce hard", { event: "bounce", bounce_type: "hard_bounce" }], ["Bounce soft", { event: "bounce", bounce_type: "soft_bounce" }],
  ["Defer", { event: "deferred" }], ["Drop", { event: "dropped" }],
  ["Complain", { event: "complaint" }], ["Unsubscribe", { event: "unsubscribe" }],
];
const WORDS = {
  accepted: "Accepted by SES", delivered: "Delivered", dropped: "Dropped", bounce: "Bounced", open: "Opened",
  click: "Link clicked", spamreport: "Complained about", unsubscribe: "Unsubscribed", deferred: "Deferred",
};
const OPEN_AT_FIRST = 3;

export class Timeline {
  /** `onEvent(event)` → promise: something is to befall a recipient. */
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.element = h("aside.timeline", { "aria-label": "What became of it" });
    this.cards = new Map();
  }

  set(mail) {
    for (const [index, recipient] of mail.recipients.entries()) {
      let card = this.cards.get(recipient.address);
      if (!card) {
        card = h("details.recipient", { open: index < OPEN_AT_FIRST });
        this.cards.set(recipient.address, card);
        this.element.append(card);
      }
      const key = JSON.stringify(recipient);
      if (card.dataset.key !== key) this.#fill(card, recipient);
      card.dataset.key = key;
    }
    this.first = mail.recipients[0]?.address;
    this.link = mail.links[0]?.address;
  }

  /** Let something befall the recipient, or the first one. A click is on the mail's first link, if it has one. */
  async simulate(event, source = null, recipient = this.first) {
    await attempt(async () => {
      const link = event.event === "click" && this.link ? { link: this.link } : {};
      await this.onEvent({ recipient, ...link, ...event });
      toast(`${WORDS[event.event] ?? "Done"}: ${recipient}`);
    }, source);
  }

  #fill(card, recipient) {
    // What was unfolded stays so, and the button in use keeps the focus, while everything else is new.
    const unfolded = new Set([...card.querySelectorAll("details[open]")].map((one) => one.dataset.id));
    const focused = card.contains(document.activeElement) ? document.activeElement.textContent : null;
    const entries = recipient.timeline.map((entry) => this.#entry(entry, recipient, unfolded));
    replace(card,
      h("summary", {}, h("span.address", {}, recipient.address), recipient.field !== "to" && h("span.dim", {}, recipient.field), badge(recipient.outcome)),
      h("ol.events", {}, entries, recipient.upcoming.map((step) => this.#upcoming(step, recipient))),
      statusRow(recipient.status),
      this.#buttons(recipient.address));
    if (focused) [...card.querySelectorAll("button, summary")].find((one) => one.textContent === focused)?.focus();
  }

  #buttons(address) {
    return h("div.make", { role: "group", "aria-label": `Make something happen to ${address}` },
      EVENTS.map(([label, event]) => button(label, (click) => this.simulate(event, click.currentTarget, address))));
  }

  #entry(entry, recipient, unfolded) {
    const start = recipient.timeline[0].at;
    const head = h("div.what", {}, h("strong", {}, WORDS[entry.kind === "accepted" ? "accepted" : entry.event] ?? entry.event),
      h("time", { datetime: entry.at, title: `${fullTime(entry.at)} UTC` }, entry.kind === "accepted" ? fullTime(entry.at).slice(11, 19) : since(start, entry.at)));
    if (entry.kind === "accepted") return h("li.accepted", {}, head);
    const body = parse(entry.body);
    const words = [body.reason, body.bounceType?.replace("_", " "), body.link].filter(Boolean).join(" · ");
    return h(`li.${entry.event}`, {}, head, words && h("p.reason", {}, words), webhook(entry, unfolded));
  }

  #upcoming(step, recipient) {
    return h("li.upcoming", {}, h("div.what", {}, h("strong", {}, WORDS[step.event] ?? step.event),
      h("time", { datetime: step.at, title: `${fullTime(step.at)} UTC` }, since(recipient.timeline[0].at, step.at))),
      h("p.reason", {}, "to come, by the clock"));
  }
}

function webhook(entry, unfolded) {
  const last = entry.attempts.at(-1);
  const answer = last ? (last.status ?? "no answer") : "waiting";
  const isGood = entry.state === "delivered";
  const tries = entry.attempts.length > 1 ? ` after ${entry.attempts.length} attempts` : "";
  const id = String(entry.id);
  return h("details.webhook", { open: unfolded.has(id), "data-id": id },
    h("summary", {}, "webhook ", h(`span.answer.${isGood ? "good" : last ? "bad" : "wait"}`, {}, String(answer)), tries,
      entry.state === "pending" && last ? " · will be tried again" : ""),
    entry.attempts.map((one) => h("div.attempt", {}, h("span.dim", {}, `${one.number}. ${fullTime(one.at).slice(11)}`), h("code", {}, `${one.status ?? "—"} ${one.answer}`))),
    h("p.dim", {}, `callback of ${entry.source}`), prettyText(entry.body));
}

function statusRow(status) {
  const flags = ["opened", "clicked", "unsubscribed", "complained"].filter((name) => status[name]);
  return h("dl.row", { "aria-label": "Row of GetSendEmailStatus" },
    h("dt", {}, "SendStatus"), h("dd", {}, h("b", {}, String(status.send_status)), ` ${status.send_words}`),
    h("dt", {}, "DeliverStatus"), h("dd", {}, h("b", {}, String(status.deliver_status)), ` ${status.deliver_words}`),
    status.deliver_message && [h("dt", {}, "Message"), h("dd", {}, status.deliver_message)],
    flags.length > 0 && [h("dt", {}, "User"), h("dd", {}, flags.join(", "))]);
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
