// Numbers, money and times as people read them. What is unknown is called unknown, never 0.

const SIGNS = { USD: "$", EUR: "€", GBP: "£" };
const whole = new Intl.NumberFormat("en");
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

export const count = (number) => (number == null ? "unknown" : whole.format(number));

/** A decimal string: cents below a dollar keep four digits, so that a cheap call does not look free. */
export function money(amount, currency = "USD") {
  if (amount == null || amount === "") return "cost unknown";
  const value = Number(amount);
  const sign = SIGNS[currency] ?? `${currency} `;
  if (value > 0 && value < 0.0001) return `under ${sign}0.0001`;
  return sign + value.toFixed(value === 0 || value >= 1 ? 2 : 4);
}

/** A price per million tokens, without idle zeros. */
export function price(amount, currency = "USD") {
  if (amount == null) return "unknown";
  return (SIGNS[currency] ?? `${currency} `) + String(Number(Number(amount).toFixed(4)));
}

/** Bytes as people read them. */
export function fileSize(bytes) {
  if (bytes == null) return "size unknown";
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function duration(ms) {
  if (ms == null) return "time unknown";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function tokens(number) {
  if (number == null) return "unknown";
  if (number < 10_000) return whole.format(number);
  return number < 1_000_000 ? `${(number / 1000).toFixed(1)} k` : `${(number / 1_000_000).toFixed(1)} M`;
}

export const clock = (iso) => (iso ? clockFormat.format(new Date(iso)) : "");

export function ago(iso, now = Date.now()) {
  const minutes = Math.floor((now - new Date(iso).getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 60 * 24) return `${Math.floor(minutes / 60)} h ago`;
  const days = Math.floor(minutes / (60 * 24));
  return days === 1 ? "yesterday" : days < 30 ? `${days} days ago` : dayFormat.format(new Date(iso));
}

/** Minutes and seconds left until `iso`, as 9:41; null when it has passed. */
export function timeLeft(iso, now = Date.now()) {
  const seconds = Math.ceil((new Date(iso).getTime() - now) / 1000);
  if (!(seconds > 0)) return null;
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

export function host(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** Today, Yesterday, Last 7 days, Last 30 days, then by month. */
export function dayGroup(iso, now = new Date()) {
  const date = new Date(iso);
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days <= 7) return "Last 7 days";
  if (days <= 30) return "Last 30 days";
  return new Intl.DateTimeFormat("en", { month: "long", year: "numeric" }).format(date);
}
