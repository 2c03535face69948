// The run inspector: what each step and attempt took and cost. What is unknown is called unknown.

import { get } from "../api.js";
import { copyText } from "../copy.js";
import { $, button, h, icon, note, svg } from "../dom.js";
import { clock, count, duration, money, tokens } from "../format.js";
import { providerMark, runBadge } from "../words.js";
import { toolName } from "./catalog.js";
import { isUnused } from "./stored.js";
import { isOver } from "./turn.js";

const WIDTH = 179;
const CALL_ICONS = { finished: ["circle-check", "ok"], denied: ["ban", ""], expired: ["clock", ""], waiting: ["hand", "warn"], unknown: ["circle-alert", "warn"] };

function bar(from, length, whole, bad) {
  const scale = whole ? WIDTH / whole : 0;
  const rect = svg("rect", { x: (from * scale).toFixed(1), width: Math.max(2, length * scale).toFixed(1), height: 5 });
  return svg("svg", { class: bad ? "bar bad" : "bar", viewBox: `0 0 ${WIDTH} 5`, preserveAspectRatio: "none", "aria-hidden": "true" }, rect);
}

const read = (usage) => (usage?.input_tokens == null ? null : usage.input_tokens + (usage.cache_read_tokens ?? 0) + (usage.cache_write_tokens ?? 0));

function attemptRow(attempt, from, whole) {
  const failed = attempt.status === "failed" || Boolean(attempt.error_kind);
  const result = failed ? h("span", { class: "num bad" }, (attempt.error_kind ?? "failed").replaceAll("_", " ")) : h("span", { class: "num" }, attempt.latency_ms == null ? "" : duration(attempt.latency_ms));
  const cached = attempt.usage?.cache_read_tokens ? `, ${count(attempt.usage.cache_read_tokens)} from cache` : "";
  const details = isUnused(attempt)
    ? ["no usage"]
    : [`${count(read(attempt.usage))} in${cached}, ${count(attempt.usage?.output_tokens)} out`, money(attempt.cost, attempt.currency ?? "USD"), attempt.evidence];
  return h(
    "div",
    { class: "attempt", dataset: { provider: attempt.provider ?? "" } },
    providerMark(attempt.provider, true),
    h("span", { class: "clip" }, attempt.model),
    result,
    h("span", { class: "detail" }, details.filter(Boolean).join(" · ")),
    attempt.latency_ms != null && bar(from, attempt.latency_ms, whole, failed),
  );
}

function callRow(call) {
  const failed = call.is_error && call.status === "finished";
  const [iconName, kind] = failed ? ["circle-x", "bad"] : (CALL_ICONS[call.status] ?? ["circle-dashed", ""]);
  const { service, tool } = toolName(call);
  return h(
    "div",
    { class: "attempt" },
    icon(iconName, kind),
    h("span", { class: "clip mono" }, service ? `${service}__${tool}` : tool),
    h("span", { class: "num" }, call.latency_ms != null ? duration(call.latency_ms) : failed ? "failed" : call.status),
  );
}

function timelineItem(dot, title, right, ...rows) {
  return h("li", {}, h("span", { class: `dot ${dot}` }), h("h3", {}, title, " ", right && h("span", { class: "num push" }, right)), ...rows);
}

const spanOf = (attempts) => attempts.reduce((sum, attempt) => sum + (attempt.latency_ms ?? 0), 0);

function timeline(row) {
  const whole = row.steps.reduce((sum, step) => sum + spanOf(step.attempts), 0);
  let at = 0;
  const items = row.steps.flatMap((step, index) => {
    const rows = step.attempts.map((attempt) => {
      const node = attemptRow(attempt, at, whole);
      at += attempt.latency_ms ?? 0;
      return node;
    });
    const failed = step.attempts.length && step.attempts.every((attempt) => attempt.error_kind);
    const took = step.attempts.some((attempt) => attempt.latency_ms != null) ? duration(spanOf(step.attempts)) : null;
    const calls = step.tool_calls ?? [];
    return [
      timelineItem(failed ? "bad" : "ok", `Step ${index + 1}`, took, ...rows),
      ...(calls.length ? [timelineItem(calls.some((call) => call.is_error) ? "warn" : "ok", "Tools", `${calls.length}`, ...calls.map(callRow))] : []),
    ];
  });
  if (isOver(row)) {
    const word = { completed: "Completed", failed: "Failed", cancelled: "Stopped" }[row.status];
    const detail = row.error && h("p", { class: "tiny bad" }, row.error.detail);
    items.push(timelineItem(row.status === "completed" ? "ok" : row.status === "failed" ? "bad" : "", word, clock(row.finished_at), detail));
  }
  return h("ol", { class: "timeline" }, items);
}

function sums(row) {
  const time = row.started_at && row.finished_at ? new Date(row.finished_at) - new Date(row.started_at) : null;
  const used = row.usage && read(row.usage) != null && row.usage.output_tokens != null ? read(row.usage) + row.usage.output_tokens : null;
  const unused = isOver(row) && row.steps.every((step) => step.attempts.every(isUnused));
  const cells = [
    ["Cost", unused ? "none" : row.cost == null ? "unknown" : money(row.cost, row.currency ?? "USD")],
    ["Time", time == null ? (isOver(row) ? "unknown" : "running") : duration(time)],
    ["Tokens", unused ? "none" : tokens(used)],
    ["Steps", String(row.steps.length)],
  ];
  return h("dl", { class: "totals" }, cells.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function firstToken(row) {
  const first = row.steps[0]?.attempts.find((attempt) => attempt.ttft_ms != null);
  return first && h("p", { class: "tiny muted" }, `First token after ${duration(first.ttft_ms)}.`);
}

export function createInspector({ runs }) {
  const panel = $("#inspector");
  const shell = $("#chat");
  const body = $("#inspector-body");
  let shown = null;
  let pending = null;

  const isOpen = () => panel.matches(":popover-open") || (shell.dataset.inspector === "open" && panel.checkVisibility());

  function frame(status) {
    const all = runs();
    const index = all.indexOf(shown);
    $("#inspector-title").textContent = index < 0 ? "Run" : `Run ${index + 1} of ${all.length}`;
    $("#inspector-badge").replaceChildren(...(status ? [runBadge(status)] : []));
    $("#run-previous").disabled = index <= 0;
    $("#run-next").disabled = index < 0 || index >= all.length - 1;
  }

  async function load() {
    const run = shown;
    frame(null);
    if (!run) {
      body.replaceChildren(h("p", { class: "small muted" }, "What a run did, step by step, shows here after the first answer."));
      return;
    }
    try {
      const row = await get(`runs/${run}`);
      if (shown !== run) return;
      frame(row.status);
      const copyId = button("Copy run id", { class: "small", on: { click: () => copyText(run) } }, "copy");
      body.replaceChildren(...[sums(row), firstToken(row), timeline(row), h("div", { class: "row wrap" }, copyId)].filter(Boolean));
    } catch (error) {
      body.replaceChildren(note("bad", "circle-alert", error.message));
    }
  }

  const step = (by) => {
    const all = runs();
    shown = all[all.indexOf(shown) + by] ?? shown;
    load();
  };
  $("#run-previous").addEventListener("click", () => step(-1));
  $("#run-next").addEventListener("click", () => step(1));
  panel.addEventListener("toggle", () => isOpen() && load());
  new MutationObserver(() => isOpen() && load()).observe(shell, { attributeFilter: ["data-inspector"] });

  return {
    /** Shows a run and opens the panel, as a popover where there is no room beside the log. */
    open(run) {
      shown = run;
      if (isOpen()) load();
      else if (matchMedia("(max-width: 80rem)").matches) panel.showPopover();
      else shell.querySelector('[data-collapse="inspector"]').click();
    },
    /** Follows the newest run while the panel is open; several changes in one moment are one reading. */
    follow(run) {
      shown = run;
      if (!isOpen() || pending) return;
      pending = setTimeout(() => {
        pending = null;
        load();
      }, 400);
    },
  };
}
