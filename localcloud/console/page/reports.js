// The reports that the report function has written, day by day.

import { api, objectPath } from "./api.js";
import { attempt, button, empty, h, replace, toast } from "./dom.js";
import { onChange } from "./live.js";
import { sandbox } from "./mail_parts.js";

const PREFIX = "reports/";

export function showReports(main, path) {
  const state = { days: [], day: path[0] ?? null, etag: null };
  const list = h("ul.days", { "aria-label": "Days" });
  const view = h("section.detail", { "aria-label": "Report" });
  const make = button("Write the report now", () => attempt(async () => {
    await api.fireTimer("report");
    toast("The report function has run");
  }, make), {}, "primary");
  replace(main, h("div.mails.reports", {},
    h("section.list", { "aria-label": "Reports" }, h("div.bar", {}, make), h("div.scroll", {}, list)), view));

  async function refresh() {
    const page = await api.browse({ prefix: PREFIX, limit: 1000 });
    state.days = page.folders.map((folder) => folder.slice(`${PREFIX}dt=`.length, -1)).reverse();
    replace(list, state.days.map((day) => h("li", {}, h("a.node.leaf", {
      href: `#/reports/${day}`, "aria-current": day === state.day ? "true" : null,
    }, h("span.name", {}, day)))));
    if (!state.days.length) replace(list, empty("No report yet", "The report timer writes one a day."));
    await draw();
  }

  async function draw() {
    if (!state.day) {
      replace(view, empty("No report is open", state.days.length ? "Choose a day." : "There is none yet."));
      return;
    }
    const folder = `${PREFIX}dt=${state.day}/`;
    const { objects } = await api.browse({ prefix: folder });
    const page = objects.find((object) => object.key.endsWith("report.html"));
    const etag = objects.map((object) => object.etag).join();
    if (etag === state.etag) return; // the frame would start anew at its top
    state.etag = etag;
    replace(view, h("header.head", {}, h("a.back", { href: "#/reports", "aria-label": "Back to the days" }, "‹ Reports"),
      h("h1", {}, `Report of ${state.day}`),
      h("p.id", {}, objects.map(({ key }) => h("a.button", { href: objectPath("", key), download: key.split("/").at(-1) }, key.slice(folder.length))))),
    page ? h("div.panel.object", {}, sandbox(objectPath("", page.key, "page"), `Report of ${state.day}`)) : empty("No page", "This day has no report.html."));
  }

  function open([day]) {
    state.day = day ?? null;
    state.etag = null;
    document.body.classList.toggle("reading", Boolean(day));
    attempt(refresh);
  }

  open(path);
  const stop = onChange(["bucket"], refresh);
  return {
    update: open,
    onkey: (event) => {
      if (event.key === "Escape") location.hash = "#/reports";
      return event.key === "Escape";
    },
    close: () => {
      stop();
      document.body.classList.remove("reading");
    },
  };
}
