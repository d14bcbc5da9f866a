// The page: which view is open, what stands in its frame, and the keys that work everywhere.

import { showBucket } from "./bucket.js";
import { showData } from "./data.js";
import { toast } from "./dom.js";
import { showFaults } from "./faults.js";
import { number } from "./format.js";
import { showHelp, startKeys } from "./keys.js";
import { connect, known, nowMs, onChange } from "./live.js";
import { showMails } from "./mails.js";
import { showReports } from "./reports.js";
import { showTime } from "./time.js";

const VIEWS = {
  mails: showMails,
  bucket: showBucket,
  reports: showReports,
  faults: showFaults,
  time: showTime,
  data: showData,
};
const main = document.querySelector("#main");
let current = null;

function route() {
  const [, name = "", ...rest] = location.hash.split("/");
  const view = name in VIEWS ? name : "mails";
  const path = rest.map(decodeURIComponent);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (current?.name === view) {
    current.update?.(path);
    return;
  }
  current?.close?.();
  document.title = `localcloud · ${view}`;
  document.body.dataset.view = view;
  main.replaceChildren();
  current = { name: view, ...VIEWS[view](main, path) };
}

function tick() {
  const now = new Date(nowMs()).toISOString();
  const isMoved = Math.abs(known.offsetMs) > 1500;
  const clock = document.querySelector("#clock");
  clock.textContent = `${now.slice(0, 10)} ${now.slice(11, 19)}`;
  clock.classList.toggle("moved", isMoved);
  clock.title = isMoved ? "The clock was moved. Simulated time, UTC" : "Simulated time, UTC";
}

function showState(isConnected) {
  const live = document.querySelector("#live");
  const text = isConnected ? "live" : "connecting…";
  if (live.textContent === text) return;
  live.textContent = text;
  live.classList.toggle("on", isConnected);
}

onChange(["mails"], () => {
  document.querySelector("#count-mails").textContent = known.total ? number(known.total) : "";
});
onChange(["faults"], () => {
  document.querySelector("#count-faults").textContent = known.rules.length || "";
});
onChange(["clock"], tick);
setInterval(tick, 1000);
tick();

window.addEventListener("hashchange", route);
window.addEventListener("unhandledrejection", (event) => toast(event.reason?.message ?? "that failed", true));
document.querySelector("#help").addEventListener("click", showHelp);
startKeys(() => current);
route();
connect(showState);
