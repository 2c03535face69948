// One assistant turn in the transcript: thinking, text, tool calls, decisions, seams, and how the run ended.

import { copyText } from "../copy.js";
import { button, h, icon, iconButton, note } from "../dom.js";
import { clock, count, duration, money } from "../format.js";
import { keyed } from "../keyed.js";
import { renderInto } from "../markdown.js";
import { demoBadge, providerMark } from "../words.js";
import { approvalCard, resolveCard } from "./approvals.js";
import { isDemoProvider, providerLabel } from "./catalog.js";
import { totals } from "./stored.js";
import { toolRow } from "./tool-row.js";
import { isOver } from "./turn.js";

const FAILURES = {
  authentication_failed: "refused the key",
  permission_denied: "refused access",
  model_not_found: "does not know the model",
  rate_limited: "was called too often",
  quota_exhausted: "has no quota left",
  overloaded: "was overloaded",
  provider_timeout: "took too long",
  timeout: "took too long",
  stream_interrupted: "broke off",
  provider_unavailable: "could not be reached",
  context_too_long: "cannot read a conversation this long",
};

export function seam(text) {
  return h("div", { class: "seam", role: "note" }, h("p", {}, icon("split"), ` ${text}`));
}

export const continuedWith = ({ provider, model }) => `Continued with ${providerLabel(provider)} ${model ?? ""}`.trim();

function seamView(first) {
  const node = h("div", {});
  const update = ({ from, to, failure }) => {
    const what = `${providerLabel(from?.provider)} ${FAILURES[failure] ?? `failed (${failure})`}`;
    const same = to && from && to.provider === from.provider && to.model === from.model;
    const then = !to ? "going on elsewhere…" : same ? "tried again." : `continued with ${providerLabel(to.provider)} ${to.model}.`;
    node.replaceChildren(seam(`${what}; ${then}`));
  };
  update(first);
  return { node, update };
}

function textView(first) {
  const node = h("div", { class: "prose" });
  const update = (block) => renderInto(node, block.text, { cursor: !block.done });
  update(first);
  return { node, update };
}

function thinkingView(first) {
  const text = h("div", { class: "pre" });
  const summary = h("summary");
  const node = h("details", { class: "think" }, summary, text);
  let live = null;
  const update = (block) => {
    text.textContent = block.text;
    if (live === !block.done) return;
    live = !block.done;
    node.open = live;
    const time = block.startedAt && block.endedAt ? ` for ${duration(block.endedAt - block.startedAt)}` : "";
    summary.replaceChildren(live ? icon("loader-circle", "spin") : icon("chevron-right", "chevron"), live ? " Thinking" : ` Thought${time}`);
  };
  update(first);
  return { node, update };
}

function toolsView(first) {
  const node = h("ul", { class: "tools", "aria-label": "Tool calls" });
  const show = keyed(node);
  const update = (tools) => show(tools.map((tool) => ({ key: tool.key, value: tool, make: toolRow })));
  update(first);
  return { node, update };
}

function workingView(first) {
  const words = h("span");
  const update = (text) => (words.textContent = text);
  update(first);
  return { node: h("p", { class: "row small muted" }, icon("loader-circle", "spin"), words), update };
}

const QUIET = "Nothing new for some seconds. Waiting for the model, or for another worker to take over…";

/** What an unfinished turn says where nothing else moves; null while something does, or while a person is asked. */
function waitingFor({ turn, quiet }) {
  const last = turn.blocks.at(-1);
  const writing = last?.done === false;
  if (turn.status === "waiting_approval" || (writing && !quiet)) return null;
  if (last?.kind === "tool" && ["running", "waiting", "unknown"].includes(last.state)) return null;
  if (turn.status === "queued") return "Waiting for a worker";
  return quiet ? QUIET : "Working";
}

const noticeView = ({ text }) => ({ node: note("warn", "info", text) });

const SIMPLE = { notice: noticeView, text: textView, thinking: thinkingView, seam: seamView };

/** What the turn shows now, in order; neighbouring tool calls form one list, what asks a person follows its list. */
function segments(entry, onDecided) {
  const { turn } = entry;
  const items = [];
  let tools = null;
  for (const block of turn.blocks) {
    if (block.kind === "tool") {
      if (!tools) items.push((tools = { key: `tools:${block.key}`, value: [], make: toolsView }));
      tools.value.push(block);
    } else {
      tools = null;
      if (block.kind === "seam" || block.text) items.push({ key: block.key, value: block, make: SIMPLE[block.kind] });
    }
  }
  if (isOver(turn)) return items;
  for (const block of turn.blocks) {
    if (block.state === "waiting") items.push({ key: `decide:${block.id}`, value: block.approval, make: () => approvalCard(block, onDecided) });
    if (block.state === "unknown") items.push({ key: `resolve:${block.id}`, value: block.id, make: () => resolveCard(block, onDecided) });
  }
  const waiting = waitingFor(entry);
  if (waiting) items.push({ key: "working", value: waiting, make: workingView });
  return items;
}

// An answer that ends early looks like a whole one, so it says so.
const CUT_SHORT = {
  length: "The answer stops here because the model reached its limit for one answer. Ask it to go on.",
  content_filter: "The answer stops here because the provider's filter held it back. Ask in other words.",
  refusal: "The model declined to answer. Ask in other words, or choose another model.",
};

const finishReason = (turn) => turn.messages.findLast((message) => message.role === "assistant")?.finish_reason;

function ending(entry, actions) {
  const { turn } = entry;
  if (turn.status === "completed" && CUT_SHORT[finishReason(turn)]) return note("warn", "info", CUT_SHORT[finishReason(turn)]);
  if (turn.status === "cancelled") return note("", "info", "Stopped by you. What was written so far is kept.");
  if (turn.status === "waiting_approval" && turn.waiting?.reason === "budget") {
    return note("warn", "circle-pause", "This run reached its budget and waits.");
  }
  if (turn.status !== "failed") return null;
  const kind = turn.error?.kind ?? "";
  const box = note("bad", "circle-alert", h("b", {}, "The run failed. "), turn.error?.detail ?? "No reason was recorded. Try again.");
  const row = h("div", { class: "row" });
  if (actions.isLast(entry)) row.append(button("Try again", { class: "small", on: { click: () => actions.retry() } }, "refresh-cw"));
  if (["authentication_failed", "permission_denied", "quota_exhausted", "no_model", "no_config", "missing_key"].includes(kind)) {
    row.append(h("a", { class: "button small", href: actions.providersUrl }, icon("key-round"), " Open providers"));
  }
  if (actions.isLast(entry)) row.append(button("Choose another model", { class: "quiet small", on: { click: () => actions.chooseModel() } }));
  box.lastElementChild.append(row);
  return box;
}

function elapsed({ turn, row, startedAt, endedAt }) {
  if (row?.started_at && row.finished_at) return new Date(row.finished_at) - new Date(row.started_at);
  return isOver(turn) && startedAt && endedAt ? endedAt - startedAt : null;
}

/** Model, tokens, cost and time. Before the run's row is read, only the model is known. */
function facts(entry) {
  const { turn } = entry;
  const models = [...new Set(turn.attempts.map((attempt) => attempt.model).filter(Boolean))];
  const spent = totals(turn);
  const time = elapsed(entry);
  return [
    models.length && models.join(", then "),
    spent && `${count(spent.input)} in, ${count(spent.output)} out`,
    spent && money(spent.cost, spent.currency ?? "USD"),
    time != null && duration(time),
  ].filter(Boolean);
}

const plainText = (turn) => turn.blocks.filter((block) => block.kind === "text").map((block) => block.text).join("\n\n");

export function turnView(first, actions) {
  const who = h("header", { class: "who" });
  const body = h("div", { class: "stack" });
  const foot = h("footer", { class: "foot" });
  const endNode = h("div", { role: "status" });
  const node = h("article", { class: "msg" }, who, body, endNode, foot);
  const show = keyed(body, () => [...body.querySelectorAll(".tool > summary")].at(-1)?.focus()); // a decided card gives way to its call
  let entry = first;
  const copy = iconButton("copy", "Copy message", { class: "push", on: { click: () => copyText(plainText(entry.turn)) } });
  const inspect = iconButton("activity", "Inspect this run", { "aria-controls": "inspector", on: { click: () => actions.inspect(entry) } });
  let head = "";
  let end = "";

  function update(next) {
    entry = next;
    const { turn } = entry;
    const provider = turn.attempts.at(-1)?.provider ?? entry.provider;
    const at = entry.at;
    if (head !== `${provider}|${at}`) {
      head = `${provider}|${at}`;
      const time = at && h("time", { datetime: at }, clock(at));
      who.replaceChildren(...[providerMark(provider, true), h("b", {}, "Assistant"), isDemoProvider(provider) && demoBadge(), time].filter(Boolean));
      node.setAttribute("aria-label", `Assistant${at ? `, ${clock(at)}` : ""}`);
    }
    node.toggleAttribute("aria-busy", false);
    if (!isOver(turn)) node.setAttribute("aria-busy", "true");
    show(segments(entry, actions.decided));
    const nowEnd = `${turn.status}|${turn.error?.detail}|${turn.waiting?.reason}|${actions.isLast(entry)}`;
    if (end !== nowEnd) {
      end = nowEnd;
      endNode.replaceChildren(...[ending(entry, actions)].filter(Boolean));
      endNode.hidden = !endNode.firstChild;
    }
    const spans = facts(entry).map((text) => h("span", {}, text));
    foot.replaceChildren(...spans, ...(isOver(turn) ? [copy, inspect] : []));
    if (!isOver(turn)) inspect.remove();
  }

  update(first);
  return { node, update };
}
