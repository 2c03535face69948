// The words and icons of states, the same on every page.

import { badge, h } from "./dom.js";

const RUN = {
  queued: ["Queued", "", "clock"],
  running: ["Running", "accent", "loader-circle"],
  waiting_approval: ["Waiting for you", "warn", "hand"],
  completed: ["Completed", "ok", "check"],
  failed: ["Failed", "bad", "circle-x"],
  cancelled: ["Stopped", "", "ban"],
};

export function runBadge(status) {
  const [text, kind, iconName] = RUN[status] ?? [status, "", "info"];
  return badge(text, kind, iconName);
}

const STATUS = {
  valid: ["Valid", "ok"],
  invalid: ["Invalid key", "bad"],
  quota_exhausted: ["Quota exhausted", "warn"],
  unreadable: ["Unreadable", "bad"],
  missing_key: ["Key missing", "warn"],
  disabled: ["Disabled", "soft", "hollow"],
  untested: ["Untested", "soft", "hollow"],
  connected: ["Connected", "ok"],
  ok: ["Connected", "ok"],
  unreachable: ["Not answering", "bad"],
  error: ["Answers with an error", "bad"],
  unauthorized: ["Wants a sign-in", "warn"],
};

export function statusLine(status) {
  const [text, kind, dot = ""] = STATUS[status] ?? [status.replaceAll("_", " "), "soft", "hollow"];
  return h("span", { class: `status ${kind}` }, h("span", { class: `dot ${dot}`.trim() }), ` ${text}`);
}

export const demoBadge = () => badge("Demo", "", "flask-conical");

const MARKS = { anthropic: "A", openai: "O", azure_openai: "Az", gemini: "G", ollama: "Ol", openai_compatible: "C", demo: "D" };

/** The square that marks a provider in lists and messages. */
export function providerMark(slug, small = false) {
  const text = MARKS[slug] ?? (slug ? slug[0].toUpperCase() + slug.slice(1, 2) : "?");
  return h("span", { class: small ? "mark small" : "mark", dataset: { provider: slug ?? "" }, "aria-hidden": "true" }, text);
}

const MEDIA = { image: "images", document: "documents", audio: "audio", video: "video" };

/** What a model takes beside text. */
export const mediaWords = (capabilities) => (capabilities?.inputs ?? []).map((kind) => MEDIA[kind]).filter(Boolean);
