// The chosen event in full: what it tells, and its place in the chain.

import { h, iconButton } from "../dom.js";
import { count } from "../format.js";
import { reveal } from "../hidden.js";
import { actorOf, objectOf, outcomeBadge } from "./rows.js";

const FIRST = /^0+$/;

/** A MAC in groups of four, its middle left out; whole for who copies it from the title. */
function hash(value) {
  if (!value) return h("span", { class: "muted" }, "not on this page");
  if (FIRST.test(value)) return h("span", { class: "muted" }, "none: the chain begins here");
  const groups = value.match(/.{4}/g);
  return h("span", { class: "mono", title: value }, `${groups.slice(0, 3).join(" ")} … ${groups.at(-1)}`);
}

function fact(term, ...value) {
  return [h("dt", {}, term), h("dd", {}, ...value)];
}

function facts(event) {
  const rows = [
    fact("Action", h("span", { class: "mono" }, event.action)),
    fact("Time", `${new Date(event.at).toISOString().slice(0, 23).replace("T", " ")} UTC`),
    fact("Actor", ...actorOf(event)),
    event.object && fact("Object", ...objectOf(event), event.object_label && h("div", { class: "tiny muted mono" }, ...reveal(event.object))),
    event.ip && fact("From", h("span", { class: "mono" }, event.ip)),
  ];
  return h("dl", { class: "facts" }, rows.filter(Boolean));
}

export function createDetails(node, { onClose, onMove }) {
  let shown = null;

  function build(event, { newer, older, next }) {
    const head = h(
      "div",
      { class: "card-head" },
      h("h2", { id: "event-h" }, `Event ${count(event.seq)}`),
      outcomeBadge(event.outcome),
      h("span", { class: "push" }),
      iconButton("chevron-up", "Newer event", { disabled: !newer, on: { click: () => onMove(-1) } }),
      iconButton("chevron-down", "Older event", { disabled: !older, on: { click: () => onMove(1) } }),
      iconButton("x", "Close details", { on: { click: onClose } }),
    );
    const told = Object.keys(event.details ?? {}).length
      ? [h("h3", {}, "Details"), h("pre", { tabindex: "0", "aria-label": "Event details" }, ...reveal(JSON.stringify(event.details, null, 2)))]
      : [];
    const chain = h("dl", { class: "facts" }, fact("Previous", hash(event.previous)), fact("This event", hash(event.hash)), fact("Next", hash(next?.previous === event.hash ? next.hash : "")));
    node.replaceChildren(head, h("div", { class: "card-body stack" }, facts(event), told, h("h3", {}, "Chain"), chain));
  }

  return {
    show(event, around) {
      node.hidden = !event;
      if (!event) node.replaceChildren();
      else build(event, around);
      if (event && event !== shown) node.scrollTop = 0;
      shown = event;
    },
  };
}
