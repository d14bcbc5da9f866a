// Times and sizes for people. Times come as ISO 8601 in UTC and are shown in UTC, as everywhere in localcloud.

const DAY_MS = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 12:03 today, 20 Nov 12:03 before, 20 Nov 2025 in other years; by the simulated clock. */
export function shortTime(iso, nowMs) {
  const at = new Date(iso), now = new Date(nowMs);
  if (Math.floor(at / DAY_MS) === Math.floor(now / DAY_MS)) return iso.slice(11, 16);
  const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
  return at.getUTCFullYear() === now.getUTCFullYear() ? `${day} ${iso.slice(11, 16)}` : `${day} ${at.getUTCFullYear()}`;
}

/** 2026-11-21 12:03:04.567 */
export const fullTime = (iso) => iso.replace("T", " ").replace("Z", "");

/** How long after `from`: +2 s, +3 min, +2 h, +3 d. */
export function since(from, to) {
  const seconds = (new Date(to) - new Date(from)) / 1000;
  const sign = seconds < 0 ? "−" : "+", size = Math.abs(seconds);
  if (size < 10) return `${sign}${size.toFixed(1)} s`;
  if (size < 120) return `${sign}${Math.round(size)} s`;
  if (size < 7200) return `${sign}${Math.round(size / 60)} min`;
  if (size < 172_800) return `${sign}${Math.round(size / 3600)} h`;
  return `${sign}${Math.round(size / 86_400)} d`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

export const number = (count) => count.toLocaleString("en");
