// What has changed, as the server tells it. EventSource connects again by itself, and is then told everything anew.

const listeners = new Map();
const QUIET_MS = 120;

/** What is known by now: offset_s of the clock against this machine's, the fault rules, how many mails there are. */
export const known = { offsetMs: 0, rules: [], total: 0 };

/** Simulated milliseconds since the epoch. */
export const nowMs = () => Date.now() + known.offsetMs;

/** Call back when one of the topics has changed; bursts are told once. Returns what ends that. */
export function onChange(topics, callback) {
  let timer = 0, isRunning = false, isStale = false;
  const run = async () => {
    timer = 0;
    if (isRunning) {
      isStale = true;
      return;
    }
    isRunning = true;
    try {
      await callback();
    } catch (error) {
      console.warn(error);
    }
    isRunning = false;
    if (isStale) {
      isStale = false;
      told();
    }
  };
  const told = () => {
    timer ||= setTimeout(run, QUIET_MS);
  };
  for (const topic of topics) listeners.set(topic, (listeners.get(topic) ?? new Set()).add(told));
  return () => {
    clearTimeout(timer);
    for (const topic of topics) listeners.get(topic).delete(told);
  };
}

const learn = {
  clock: (fact) => (known.offsetMs = fact.offset_s * 1000),
  faults: (fact) => (known.rules = fact.rules),
  mails: (fact) => (known.total = fact.total),
};

/** Connect. `onState` hears whether we are connected. */
export function connect(onState) {
  const source = new EventSource("/_local/stream");
  source.addEventListener("open", () => onState(true));
  source.addEventListener("error", () => {
    onState(false);
    // A server that answers anything but a stream ends an EventSource for good.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(onState), 2000);
  });
  for (const topic of ["mails", "callbacks", "bucket", "clock", "faults"]) {
    source.addEventListener(topic, (event) => {
      learn[topic]?.(JSON.parse(event.data));
      for (const told of listeners.get(topic) ?? []) told();
    });
  }
}
