// One event as a row, and the words that rows and details share.

import { badge, h } from "../dom.js";
import { reveal } from "../hidden.js";

const OUTCOMES = { allowed: ["Allowed", "ok"], refused: ["Refused", "bad"], failed: ["Failed", "warn"] };

export function outcomeBadge(outcome) {
  const [text, kind] = OUTCOMES[outcome] ?? [outcome, ""];
  return badge(text, kind);
}

const today = () => new Date().toISOString().slice(0, 10);

/** The time of day in UTC, with its date unless that is today. */
function time(at) {
  const moment = new Date(at).toISOString();
  return h("time", { datetime: at }, moment.slice(0, 10) === today() ? moment.slice(11, 19) : `${moment.slice(0, 10)} ${moment.slice(11, 19)}`);
}

export function actorOf({ actor, token }) {
  return [...reveal(actor || "unknown"), token && h("span", { class: "muted" }, " with token “", ...reveal(token), "”")];
}

/** The object's name as it was, otherwise its type and id. */
export const objectOf = (event) => reveal(event.object_label || event.object || "");

export function eventRow(event) {
  return h(
    "tr",
    { dataset: { seq: event.seq } },
    h("td", {}, time(event.at)),
    h("td", {}, actorOf(event)),
    h("td", {}, h("a", { class: "plain mono", href: `#e${event.seq}` }, event.action)),
    h("td", { class: "line" }, ...objectOf(event)),
    h("td", {}, outcomeBadge(event.outcome)),
  );
}
