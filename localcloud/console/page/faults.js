// Faults on purpose: the rules in force, with how often each did what it says, and new ones from presets or JSON.

import { api } from "./api.js";
import { attempt, button, empty, h, replace, toast } from "./dom.js";
import { known, onChange } from "./live.js";

const PRESETS = [
  ["SES fails once", "InternalError for the next SendEmail", { service: "ses", action: "SendEmail", kind: "error", code: "InternalError", times: 1 }],
  ["Accepted, nobody told", "the next mail goes out, the answer is lost", { service: "ses", action: "SendEmail", kind: "drop_response", times: 1 }],
  ["SES throttles", "every fifth request is over the limit", { service: "ses", kind: "throttle", probability: 0.2 }],
  ["Slow SES", "every answer takes two seconds", { service: "ses", kind: "delay", seconds: 2 }],
  ["Callbacks ×5", "each one is told five times", { service: "callback", kind: "duplicate", copies: 5 }],
  ["Callbacks out of order", "each held back, for up to 30 seconds", { service: "callback", kind: "reorder", seconds: 30 }],
  ["Callbacks lost", "one in ten never arrives", { service: "callback", kind: "lose", probability: 0.1 }],
  ["COS stumbles", "503 for one request in twenty", { service: "cos", kind: "error", code: "ServiceUnavailable", status: 503, probability: 0.05 }],
  ["LIST lags", "new objects are listed five seconds late", { service: "cos", kind: "list_lag", seconds: 5 }],
];

export function showFaults(main) {
  const table = h("div.scroll-x");
  const json = h("textarea", { id: "rules", rows: 7, spellcheck: "false" });
  json.value = JSON.stringify(PRESETS[0][2], null, 2);
  const seed = h("input", { id: "seed", inputmode: "numeric", placeholder: "none", size: 8 });
  const clear = button("Clear all", () => attempt(async () => {
    await api.clearFaults();
    toast("No faults any more");
  }, clear), {}, "danger");

  const add = (rules, source) => attempt(async () => {
    await api.addFaults(rules, seed.value.trim());
    toast("Added");
  }, source);

  function addWritten(event) {
    event.preventDefault();
    attempt(async () => {
      let rules;
      try {
        rules = JSON.parse(json.value);
      } catch (error) {
        throw new Error(`That is not JSON: ${error.message}`);
      }
      await add(rules);
    });
  }

  function draw() {
    clear.hidden = !known.rules.length;
    replace(table, known.rules.length ? rulesTable(known.rules) : empty("The network is friendly", "No fault rule is in force."));
  }

  replace(main, h("div.page", {},
    h("h1", {}, "Faults"),
    h("section.card", {}, h("div.title", {}, h("h2", {}, "In force"), clear), table),
    h("section.card", {}, h("h2", {}, "Presets"), h("div.presets", {}, PRESETS.map(([name, what, rule]) => (
      h("button", { type: "button", onclick: (event) => add(rule, event.currentTarget) }, h("strong", {}, name), h("span.dim", {}, what)))))),
    h("section.card", {}, h("h2", {}, "A rule of your own"),
      h("form", { onsubmit: addWritten },
        h("label", { for: "rules" }, "One rule, or a list of them, as JSON"), json,
        h("div.line", {}, h("label", { for: "seed" }, "Seed, to repeat it"), seed, h("button.primary", {}, "Add"))))));
  draw();
  return { close: onChange(["faults"], draw) };
}

function rulesTable(rules) {
  const head = ["Service", "Action", "Kind", "Chance", "Details", "Fired"];
  return h("table", {}, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rules.map((rule) => h("tr", {},
      h("td", {}, rule.service), h("td", {}, rule.action ?? "any"), h("td", {}, rule.kind.replace("_", " ")),
      h("td", {}, `${+(rule.probability * 100).toFixed(2)} %`), h("td", {}, details(rule)),
      h("td.fired", {}, h("b", {}, String(rule.fired)), rule.times ? ` of ${rule.times}` : "")))));
}

function details(rule) {
  return [rule.code, rule.status, rule.seconds !== null && `${rule.seconds} s`, rule.copies && `×${rule.copies}`]
    .filter(Boolean).join(" · ");
}
