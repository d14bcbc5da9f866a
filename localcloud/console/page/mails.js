// The mails: the list on one side, one mail on the other; on a phone, one after the other.

import { api } from "./api.js";
import { attempt, badge, empty, h, replace } from "./dom.js";
import { number } from "./format.js";
import { known, onChange } from "./live.js";
import { openMail } from "./mail.js";
import { MailRows } from "./mail_rows.js";

const OUTCOMES = [
  "queued", "delivered", "opened", "clicked", "deferred", "bounced", "dropped", "refused", "complained", "unsubscribed",
];
const PAGE = 100, MOST = 1000, TYPING_MS = 180;

export function showMails(main, path) {
  const state = { query: "", outcome: "", next: null, asked: 0, isLoading: false, isNew: true, detail: null };
  const search = h("input", {
    type: "search", id: "search", placeholder: "Search   /", autocomplete: "off", spellcheck: "false",
    "aria-label": "Search mails", "aria-describedby": "found",
  });
  const filters = h("div.filters", { role: "group", "aria-label": "Outcome" });
  const found = h("p.found", { id: "found", role: "status" });
  const more = h("div.more", { "aria-hidden": "true" });
  const rows = new MailRows((id) => (location.hash = `#/mails/${encodeURIComponent(id)}`));
  const scroll = h("div.scroll", {}, rows.element, found, more);
  const list = h("section.list", { "aria-label": "Mails" }, h("div.bar", {}, search, filters), scroll);
  const detail = h("section.detail", { "aria-label": "Mail" });
  replace(main, h("div.mails", {}, list, detail));

  for (const outcome of OUTCOMES) {
    const chip = h("button.chip", {
      type: "button", "aria-pressed": "false",
      onclick: () => choose(state.outcome === outcome ? "" : outcome),
    }, badge(outcome));
    chip.dataset.outcome = outcome;
    filters.append(chip);
  }

  /** Ask for the newest mails, once more as many as are shown; or for older ones. */
  async function load({ isMore = false, limit = PAGE } = {}) {
    const { query, outcome, asked } = state;
    const page = await api.mails({ query, outcome, before: isMore ? state.next : null, limit });
    if (asked !== state.asked) return; // another search has begun meanwhile
    // What was found by an earlier search does not stay below what was found by this one.
    const isTail = isMore ? rows.append(page.mails) : rows.set(page.mails, page.next !== null && !state.isNew);
    if (isMore || !isTail) state.next = page.next;
    if (!isMore) state.isNew = false;
    describe(page);
    // Told again whether the end is in sight: it may never have left it.
    watcher.unobserve(more);
    watcher.observe(more);
  }

  function begin() {
    state.asked += 1;
    state.next = null;
    state.isNew = true;
    scroll.scrollTop = 0;
    return load().catch((error) => {
      rows.set([], false);
      replace(found, empty("Nothing found", error.message));
    });
  }

  function describe(page) {
    const isNarrowed = state.query || state.outcome;
    if (rows.count) replace(found, isNarrowed ? `${number(rows.count)}${page.next ? "+" : ""} found` : "");
    else replace(found, isNarrowed ? empty("Nothing found", "No mail is like that.") : welcome());
  }

  const refresh = () => load({ limit: Math.min(Math.max(rows.count, PAGE), MOST) });

  function choose(outcome) {
    state.outcome = outcome;
    for (const chip of filters.children) chip.setAttribute("aria-pressed", String(chip.dataset.outcome === outcome));
    begin();
  }

  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      state.query = search.value.trim();
      begin();
    }, TYPING_MS);
  });

  const watcher = new IntersectionObserver((entries) => {
    if (!entries.at(-1).isIntersecting || !state.next || state.isLoading) return;
    state.isLoading = true;
    attempt(() => load({ isMore: true, limit: 2 * PAGE })).finally(() => (state.isLoading = false));
  }, { root: scroll, rootMargin: "1200px" });

  function open(id) {
    state.detail?.close();
    state.detail = null;
    document.body.classList.toggle("reading", Boolean(id));
    rows.select(id);
    if (id) state.detail = openMail(detail, id);
    else replace(detail, empty("No mail is open", "Choose one, or press ", h("kbd", {}, "j"), "."));
  }

  function onkey(event) {
    const { key } = event;
    if (key === "/") search.focus();
    else if (key === "j" || key === "k") rows.step(key === "j" ? 1 : -1);
    else if (key === "Escape") escape(event);
    else if (key === "Enter" && !event.target.closest("button, a:not([aria-current]), summary")) state.detail?.focus();
    else return Boolean(state.detail?.onkey(event));
    return true;
  }

  function escape(event) {
    if (event.target === search && search.value) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    } else if (event.target === search) search.blur();
    else location.hash = "#/mails";
  }

  const stop = onChange(["mails", "clock"], refresh);
  begin();
  open(path[0]);
  return {
    update: ([id]) => open(id),
    onkey,
    close: () => {
      stop();
      watcher.disconnect();
      state.detail?.close();
      document.body.classList.remove("reading");
    },
  };
}

function welcome() {
  const command = "mailtrail send --to alice@example.com --template 100091 --data code=1234";
  return empty(known.total ? "…" : "No mail yet", "Send one, to POST /send here or to SES on the next port: ", h("code", {}, command));
}
