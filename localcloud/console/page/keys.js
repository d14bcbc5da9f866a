// The keyboard: a few single keys, as in every mail reader; and the page that explains them.

import { h, isTyping } from "./dom.js";

const KEYS = [
  ["j  k", "next and previous mail"],
  ["Enter", "open the mail; its body"],
  ["Esc", "back to the list; empty the search"],
  ["/", "search"],
  ["[  ]", "previous and next tab of a mail"],
  ["g m  g b  g r", "go to mails, bucket, reports"],
  ["g f  g t  g d", "go to faults, clock, data"],
  ["?", "this help"],
];
const SEARCHES = [
  ["alice code", "both words, in addresses, subject, ids or metadata"],
  ['"two words"', "as one"],
  ["from:  to:  subject:", "in one place"],
  ["id:  meta:", "message ids; metadata and X-TencentCloudSES-CB headers"],
  ["is:bounced", "by outcome"],
];
const PLACES = { m: "mails", b: "bucket", r: "reports", f: "faults", t: "time", d: "data" };

export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const rows = (pairs) => pairs.map(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]);
  const dialog = h(
    "dialog.help",
    { "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    h("form", { method: "dialog" },
      h("h2", { id: "help-title" }, "Keys"), h("dl", {}, rows(KEYS)),
      h("h2", {}, "Search"), h("dl", {}, rows(SEARCHES)),
      h("button.primary", { autofocus: true, value: "close" }, "Close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** `current()`: the open view; its `onkey(event)` returns whether it took a key. */
export function startKeys(current) {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (isTyping(event) && event.key !== "Escape") return;
    if (isGoing && event.key in PLACES) {
      location.hash = `#/${PLACES[event.key]}`;
      isGoing = false;
      return;
    }
    isGoing = event.key === "g";
    if (event.key === "?") showHelp();
    else if (!current()?.onkey?.(event)) return;
    event.preventDefault();
  });
}
