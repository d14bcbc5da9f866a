// The clock that everything local lives by, and the timers.

import { api } from "./api.js";
import { attempt, button, empty, h, replace, toast } from "./dom.js";
import { known, nowMs, onChange } from "./live.js";
import { pretty } from "./json.js";

const STEPS = [["+1 min", 60], ["+1 h", 3600], ["+1 day", 86_400]];

export function showTime(main) {
  const now = h("p.clock.mono", { role: "timer" });
  const away = h("p.dim");
  const wanted = h("input", { id: "wanted", type: "datetime-local", step: 1, required: true });
  const timers = h("div.timers");
  const move = (change, source) => attempt(async () => {
    const moved = await api.moveClock(change);
    toast(`It is ${moved.now}`);
  }, source);

  function set(event) {
    event.preventDefault();
    move({ now: `${wanted.value.length === 16 ? `${wanted.value}:00` : wanted.value}Z` }, event.submitter);
  }

  function tick() {
    const iso = new Date(nowMs()).toISOString();
    now.textContent = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
    const offset = Math.round(known.offsetMs / 1000);
    away.textContent = Math.abs(offset) < 2 ? "The machine's own time." : `${Math.abs(offset).toLocaleString("en")} seconds ${offset > 0 ? "ahead of" : "behind"} the machine's.`;
  }

  replace(main, h("div.page", {},
    h("h1", {}, "Clock"),
    h("section.card", {}, now, away,
      h("div.line", {}, STEPS.map(([label, seconds]) => button(label, (event) => move({ advance_s: seconds }, event.currentTarget))),
        button("Real time", (event) => move({ advance_s: -known.offsetMs / 1000 }, event.currentTarget), {}, "quiet")),
      h("form.line", { onsubmit: set }, h("label", { for: "wanted" }, "Set to (UTC)"), wanted, h("button.primary", {}, "Set")),
      h("p.note", {}, "Mails, callbacks, tasks and timers that have become due happen before the clock's answer comes.")),
    h("section.card", {}, h("h2", {}, "Timers"), timers)));

  wanted.value = new Date(nowMs()).toISOString().slice(0, 19);
  tick();
  const beat = setInterval(tick, 500);
  const stop = onChange(["clock"], tick);
  attempt(async () => {
    const list = await api.timers();
    replace(timers, list.length ? list.map(timer) : empty("No timers", "localcloud runs without functions, or serverless.yml names none."));
  });
  return {
    close: () => {
      clearInterval(beat);
      stop();
    },
  };
}

function timer({ name, function: owner, cron, enabled }) {
  const outcome = h("div.outcome", { role: "status" });
  const fire = button("Fire now", () => attempt(run, fire), { "aria-label": `Fire ${name} now` });
  async function run() {
    replace(outcome, h("p.dim", {}, "running…"));
    const started = performance.now();
    try {
      const value = await api.fireTimer(name);
      replace(outcome, h("p.good", {}, `returned after ${((performance.now() - started) / 1000).toFixed(1)} s`), pretty(value));
    } catch (error) {
      replace(outcome, h("p.bad", {}, error.message));
    }
  }
  return h("div.timer", {},
    h("div", {}, h("strong", {}, name), h("span.dim", {}, ` ${owner} · `), h("code", {}, cron), !enabled && h("span.dim", {}, " · off")),
    fire, outcome);
}
