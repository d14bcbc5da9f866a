// Making history, and forgetting everything.

import { api } from "./api.js";
import { attempt, button, h, replace, toast } from "./dom.js";
import { nowMs } from "./live.js";
import { pretty } from "./json.js";

const FIELDS = [
  ["messages", "Rows of SES", 10_000], ["tasks", "Batch tasks", 12], ["sendcloud", "Rows of SendCloud", 500], ["seed", "Seed", 0],
];

export function showData(main) {
  const yesterday = new Date(nowMs() - 86_400_000).toISOString().slice(0, 10);
  const day = h("input", { id: "day", type: "date", required: true, value: yesterday });
  const inputs = FIELDS.map(([name, , value]) => h("input", { id: name, type: "number", min: "0", required: true, value: String(value) }));
  const outcome = h("div.outcome", { role: "status" });

  function make(event) {
    event.preventDefault();
    attempt(async () => {
      const counts = Object.fromEntries(FIELDS.map(([name], index) => [name, Number(inputs[index].value)]));
      replace(outcome, pretty(await api.seed({ day: day.value, ...counts })));
      toast("History is made");
    }, event.submitter);
  }

  replace(main, h("div.page", {},
    h("h1", {}, "Data"),
    h("section.card", {}, h("h2", {}, "Make history"),
      h("p.note", {}, "Rows for a day of the account (UTC+8), the same for the same seed. No mail is kept for them and no callback is sent: they are what snapshot and report read."),
      h("form.grid", { onsubmit: make },
        h("label", { for: "day" }, "Day"), day,
        FIELDS.map(([name, label], index) => [h("label", { for: name }, label), inputs[index]]),
        h("span"), h("button.primary", {}, "Make it")), outcome),
    h("section.card", {}, h("h2", {}, "Begin anew"),
      h("p.note", {}, "Forgets every mail, object, callback, task and fault, and returns the clock to real time."),
      button("Reset…", confirmReset, { "aria-haspopup": "dialog" }, "danger"))));
  return { close: () => {} };
}

function confirmReset() {
  const dialog = h("dialog", { "aria-labelledby": "reset-title", onclose: () => closed(dialog) },
    h("form", { method: "dialog" }, h("h2", { id: "reset-title" }, "Forget everything?"),
      h("p", {}, "There is no way back."),
      h("div.line", {}, h("button", { value: "", autofocus: true }, "Keep it"), h("button.danger", { value: "reset" }, "Forget everything"))));
  document.body.append(dialog);
  dialog.showModal();
}

function closed(dialog) {
  dialog.remove();
  if (dialog.returnValue !== "reset") return;
  attempt(async () => {
    await api.reset();
    toast("Everything is as it was born");
  });
}
