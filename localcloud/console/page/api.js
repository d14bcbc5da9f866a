// The control plane, as functions. A refusal is an Error whose message says everything that was wrong.

async function call(method, path, body) {
  const options = { method, headers: {}, cache: "no-store" };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? null);
  }
  let response;
  try {
    response = await fetch(`/_local/${path}`, options);
  } catch {
    throw new Error("localcloud does not answer");
  }
  const text = await response.text();
  const content = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Error(explain(content, response.status));
  return content;
}

function explain(content, status) {
  const errors = content?.errors?.map((error) => (error.field ? `${error.field} ${error.problem}` : error.problem));
  return errors?.join("; ") || content?.detail || content?.errorMessage || `answered ${status}`;
}

const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return new URLSearchParams(given).toString();
};

export const mailPath = (id, part = "") => `/_local/mails/${encodeURIComponent(id)}${part}`;
export const objectPath = (bucket, key, part = "object") => `/_local/bucket/${part}?${query({ bucket, key })}`;

export const api = {
  mails: (values) => call("GET", `mails?${query(values)}`),
  mail: (id) => call("GET", `mails/${encodeURIComponent(id)}`),
  simulate: (event) => call("POST", "events", event),
  browse: (values) => call("GET", `bucket?${query(values)}`),
  lines: (values) => call("GET", `bucket/lines?${query(values)}`),
  addFaults: (rules, seed) => call("POST", `faults?${query({ seed })}`, rules),
  clearFaults: () => call("DELETE", "faults"),
  moveClock: (move) => call("POST", "clock", move),
  timers: () => call("GET", "timers"),
  fireTimer: (name) => call("POST", `timers/${encodeURIComponent(name)}`),
  seed: (values) => call("POST", "seed", values),
  reset: () => call("POST", "reset"),
};

export async function sourceOf(id) {
  const response = await fetch(mailPath(id, "/source"), { cache: "no-store" });
  return response.text();
}
