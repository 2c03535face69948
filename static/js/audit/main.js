// The audit page: filters in the address, a page of events, the chosen one beside them, and the state of the chain.

import { ApiError, page } from "../api.js";
import { announce } from "../announce.js";
import { $, h, icon, note } from "../dom.js";
import { count } from "../format.js";
import "../menus.js";
import { createChain } from "./chain.js";
import { createDetails } from "./details.js";
import { createFilters } from "./filters.js";
import { eventRow } from "./rows.js";

const PAGE_SIZE = 50;
const HASH = /^#e(\d+)$/;
const rows = $("#rows");
const before = []; // the addresses of the pages that were left for older ones
let events = [];
let here = null;
let next = null;
let reading = null;

const chain = createChain();
const details = createDetails($("#event"), { onClose: () => choose(null), onMove: move });
const filters = createFilters($("#filters"), restart);

const first = () => `audit?${new URLSearchParams([...filters.query(), ["page_size", PAGE_SIZE]])}`;
const chosen = () => events.findIndex((event) => event.seq === Number(location.hash.match(HASH)?.[1]));

function restart() {
  before.length = 0;
  history.replaceState(null, "", location.pathname + location.search);
  return load(first());
}

async function load(path) {
  reading?.abort();
  reading = new AbortController();
  $("#events").setAttribute("aria-busy", "true");
  try {
    const answer = await page(path, { signal: reading.signal });
    [here, events, next] = [path, answer.results, answer.next];
    show();
  } catch (error) {
    if (error.name !== "AbortError") showError(error, path);
  }
}

function show() {
  $("#events").setAttribute("aria-busy", "false");
  rows.replaceChildren(...events.map(eventRow));
  rows.closest(".card").hidden = !events.length;
  $("#nothing").replaceChildren(events.length ? "" : nothing());
  $("#pages").hidden = !events.length;
  $("#newer").disabled = !before.length;
  $("#older").disabled = !next;
  const told = `${count(events.length)} ${events.length === 1 ? "event" : "events"}`;
  $("#shown").textContent = events.length ? `${told}, ${count(events.at(-1).seq)} to ${count(events[0].seq)}` : "";
  announce(events.length ? `${told} shown` : "No events");
  mark();
}

function nothing() {
  if (!filters.query().length) return h("p", { class: "soft" }, "Nothing has been recorded yet.");
  const clear = h("button", { type: "button", class: "small", on: { click: () => filters.clear() } }, icon("x"), " Clear the filters");
  return h("div", { class: "stack" }, h("p", { class: "soft" }, "No event fits these filters."), h("div", {}, clear));
}

function showError(error, path) {
  $("#events").setAttribute("aria-busy", "false");
  const again = h("button", { type: "button", class: "small", on: { click: () => load(path) } }, icon("refresh-cw"), " Try again");
  const text = error instanceof ApiError ? error.message : "The events could not be shown. Reload the page.";
  rows.replaceChildren();
  rows.closest(".card").hidden = true;
  $("#pages").hidden = true;
  $("#nothing").replaceChildren(note("bad", "circle-alert", h("b", {}, "The events could not be read."), ` ${text}`, h("div", { class: "row" }, again)));
}

/** Marks the event that the address names, and shows it. */
function mark() {
  const index = chosen();
  [...rows.rows].forEach((row, at) => {
    row.toggleAttribute("aria-selected", false);
    if (at === index) row.setAttribute("aria-selected", "true");
    const link = row.querySelector("a");
    if (at === index) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  details.show(events[index] ?? null, { newer: index > 0, older: index >= 0 && index < events.length - 1, next: events[index - 1] });
}

function choose(event) {
  history.replaceState(null, "", location.pathname + location.search + (event ? `#e${event.seq}` : ""));
  mark();
}

/** To the event above (-1, newer) or below (1, older). Without a chosen one, the first. */
function move(step) {
  const index = chosen();
  const to = index < 0 ? 0 : Math.min(Math.max(index + step, 0), events.length - 1);
  if (!events[to]) return;
  choose(events[to]);
  rows.rows[to].querySelector("a").focus({ preventScroll: true });
  rows.rows[to].scrollIntoView({ block: "nearest" });
}

rows.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (!row?.dataset.seq || getSelection()?.toString()) return;
  event.preventDefault();
  choose(events.find((each) => String(each.seq) === row.dataset.seq));
});

$("#older").addEventListener("click", () => {
  before.push(here);
  load(next).then(() => $("#older").disabled && $("#newer").focus());
});
$("#newer").addEventListener("click", () => load(before.pop()).then(() => $("#newer").disabled && $("#older").focus()));
addEventListener("hashchange", mark);
addEventListener("popstate", () => {
  filters.read();
  load(first());
});

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, summary, .popup, pre, dialog")) return;
  if (event.key === "Escape" && chosen() >= 0) {
    const link = rows.rows[chosen()].querySelector("a");
    choose(null);
    link.focus();
  } else if (event.key in STEPS && (event.key.length === 1 || chosen() >= 0)) {
    event.preventDefault();
    move(STEPS[event.key]);
  }
});

chain.start(() => before.length || load(first()));
load(first());
