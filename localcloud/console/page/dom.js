// Elements, built and never parsed: what came from outside is always text.

/** h("a.quiet", {href, onclick, "aria-label"}, child, [children], "text") → the element. */
export function h(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** Whether the keyboard is writing text just now. */
export function isTyping(event) {
  return Boolean(event.target.closest?.("input, textarea, select, [contenteditable]"));
}

export function button(label, onclick, attributes = {}, kind = "") {
  return h(`button${kind && `.${kind}`}`, { type: "button", onclick, ...attributes }, label);
}

export function badge(outcome, count = 1) {
  return h(`span.badge.is-${outcome}`, {}, count > 1 ? `${outcome} ${count}` : outcome);
}

export function empty(title, ...hint) {
  return h("div.empty", {}, h("p.title", {}, title), h("p", {}, ...hint));
}

/** A note that fades away; errors stay longer. */
export function toast(text, isError = false) {
  const note = h(`div.toast${isError ? ".error" : ""}`, {}, text);
  document.querySelector("#toasts").append(note);
  setTimeout(() => note.remove(), isError ? 8000 : 3000);
}

/** Run something that may fail, and say so when it does. The button that asked for it is busy meanwhile. */
export async function attempt(action, source = null) {
  // Not disabled: a disabled button loses the focus.
  if (source?.ariaBusy === "true") return undefined;
  if (source) source.ariaBusy = "true";
  try {
    return await action();
  } catch (error) {
    toast(error.message, true);
    return undefined;
  } finally {
    if (source) source.ariaBusy = "false";
  }
}

export async function copy(text) {
  await attempt(async () => {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  });
}
