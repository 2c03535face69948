// A run's events folded to the turn that the page shows. Pure: folding the same events always gives the same turn.
// An event: {seq, type, data, at}; `at` is when it was seen live, in milliseconds, or null for one that was replayed.

import { blocksOf, replaceWhere, settled, patchTool, takeResults, toolBlock, withBlocks } from "./turn.js";

const patchAttempt = (turn, id, change) => ({ ...turn, attempts: replaceWhere(turn.attempts, (attempt) => attempt.id === id, () => change) });

/** What was being written is complete as soon as anything else happens. */
const endWriting = (blocks, at) =>
  replaceWhere(
    blocks,
    (block) => block.done === false,
    () => ({ done: true, endedAt: at ?? null }),
  );

function append(turn, kind, { seq, data, at }) {
  const last = turn.blocks.at(-1);
  if (last?.kind === kind && last.step === turn.step && !last.done) {
    // The trail remembers the length before each delta, so that a restart can cut back to any of them.
    const grown = { ...last, text: last.text + data.text, trail: { seq, length: last.text.length, before: last.trail } };
    return withBlocks(turn, [...turn.blocks.slice(0, -1), grown]);
  }
  const place = turn.blocks.filter((block) => block.kind === kind && block.step === turn.step).length;
  const block = {
    key: `${kind}:${turn.step}:${place}`,
    kind,
    step: turn.step,
    seq,
    text: data.text,
    trail: { seq, length: 0, before: null },
    done: false,
    startedAt: at ?? null,
    endedAt: null,
  };
  return withBlocks(turn, [...endWriting(turn.blocks, at), block]);
}

function cutBack(block, seq) {
  if (!block.trail) return block;
  let { trail, text } = block;
  while (trail && trail.seq > seq) {
    text = text.slice(0, trail.length);
    trail = trail.before;
  }
  return trail === block.trail ? block : { ...block, text, trail, done: false, endedAt: null };
}

function restartStep(turn, { data }) {
  const kept = turn.blocks.filter((block) => block.step !== data.index || block.seq <= data.discard_after);
  return { ...turn, step: data.index, blocks: kept.map((block) => (block.step === data.index ? cutBack(block, data.discard_after) : block)) };
}

function requestTool(turn, { seq, data, at }) {
  if (turn.blocks.some((block) => block.kind === "tool" && block.id === data.id)) {
    return patchTool(turn, data.id, (tool) => ({ startedAt: tool.startedAt ?? at ?? null })); // its message came first
  }
  return withBlocks(turn, [...endWriting(turn.blocks, at), toolBlock(turn.step, seq, data, at)]);
}

function requireApproval(turn, event) {
  const { id, arguments: args, definition_hash, expires_at } = event.data;
  return patchTool(requestTool(turn, event), id, (tool) => ({
    state: "waiting",
    arguments: args ?? tool.arguments,
    approval: { definition_hash, expires_at },
  }));
}

function decideTool(turn, { data, at }) {
  const state = { approved: "running", denied: "denied", expired: "expired" }[data.decision] ?? "running";
  return patchTool(turn, data.id, () => ({
    state,
    decision: { decision: data.decision, by: data.by ?? null },
    startedAt: at ?? null,
    endedAt: null,
  }));
}

function finishTool(turn, { data, at }) {
  return patchTool(turn, data.id, (tool) => ({
    state: settled(tool, data.is_error),
    isError: Boolean(data.is_error),
    parts: data.parts ?? [],
    endedAt: at ?? null,
  }));
}

function startAttempt(turn, { data }) {
  const attempt = { id: data.attempt, provider: data.provider, model: data.model, config: data.config, status: "running", step: turn.step };
  const blocks = replaceWhere(
    turn.blocks,
    (block) => block.kind === "seam" && block.to === null,
    () => ({ to: attempt }),
  );
  return { ...turn, status: "running", blocks, attempts: [...turn.attempts.filter((known) => known.id !== attempt.id), attempt] };
}

function failAttempt(turn, { seq, data, at }) {
  const failed = patchAttempt(turn, data.attempt, { status: "failed", error_kind: data.kind, detail: data.detail });
  if (!data.next) return failed;
  const from = failed.attempts.find((attempt) => attempt.id === data.attempt) ?? null;
  const seam = { key: `seam:${data.attempt}`, kind: "seam", step: turn.step, seq, from, to: null, failure: data.kind, detail: data.detail };
  return withBlocks(failed, [...endWriting(failed.blocks, at), seam]);
}

function addNotice(turn, { seq, data, at }) {
  const notice = { key: `notice:${seq}`, kind: "notice", step: turn.step, seq, text: data.detail };
  return withBlocks(turn, [...endWriting(turn.blocks, at), notice]);
}

const USAGE = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"];

function recordUsage(turn, { data }) {
  const usage = Object.fromEntries(USAGE.map((name) => [name, data[name] ?? null]));
  return patchAttempt(turn, data.attempt, { usage, cost: data.cost ?? null, currency: data.currency ?? null, evidence: data.evidence ?? null });
}

/** The stored message is the truth of its step; a step that changed hands keeps what was shown, its seam included. */
function completeAssistant(turn, message, seq) {
  const own = turn.blocks.filter((block) => block.step === turn.step);
  if (own.some((block) => block.kind === "seam")) return withBlocks(turn, endWriting(turn.blocks, null));
  const known = new Map(own.map((block) => [block.key, block]));
  const stored = blocksOf(message, turn.step, seq).map((block) => {
    const before = known.get(block.key);
    if (block.kind === "tool") return before ?? block;
    return before && before.text === block.text && before.done ? before : { ...block, startedAt: before?.startedAt ?? null, endedAt: before?.endedAt ?? null };
  });
  return withBlocks(turn, [...turn.blocks.filter((block) => block.step !== turn.step), ...stored]);
}

function completeMessage(turn, { seq, data: { message } }) {
  const kept = { ...turn, messages: [...turn.messages, message] };
  if (message.role === "assistant") return completeAssistant(kept, message, seq);
  return message.role === "tool" ? takeResults(kept, message) : kept;
}

/** A tool that still ran when its run ended may have done its work, and nobody knows; one that waited for a person did not run. */
function end(turn, status, error = null) {
  const blocks = replaceWhere(
    endWriting(turn.blocks, null),
    (block) => block.kind === "tool" && ["running", "waiting"].includes(block.state),
    (tool) => ({ state: tool.state === "waiting" ? "stopped" : "unknown" }),
  );
  return { ...turn, status, error, waiting: null, blocks };
}

const STEPS = {
  "run.started": (turn) => ({ ...turn, status: "running" }),
  "step.started": (turn, { data }) => ({ ...turn, step: data.index, blocks: endWriting(turn.blocks, null) }),
  "step.restarted": restartStep,
  "attempt.started": startAttempt,
  "attempt.failed": failAttempt,
  "thinking.delta": (turn, event) => append(turn, "thinking", event),
  "text.delta": (turn, event) => append(turn, "text", event),
  "tool_call.requested": requestTool,
  "tool_call.approval_required": requireApproval,
  "tool_call.decided": decideTool,
  "tool_call.finished": finishTool,
  "message.completed": completeMessage,
  "usage.recorded": recordUsage,
  "run.notice": addNotice,
  "run.waiting": (turn, { data }) => ({ ...turn, status: "waiting_approval", waiting: data, blocks: endWriting(turn.blocks, null) }),
  "run.resumed": (turn) => ({ ...turn, status: "running", waiting: null }),
  "run.completed": (turn) => end(turn, "completed"),
  "run.failed": (turn, { data }) => end(turn, "failed", data),
  "run.cancelled": (turn) => end(turn, "cancelled"),
};

/** The turn after `event`. An event that was folded before changes nothing; one of an unknown type only moves `seq`. */
export function fold(turn, event) {
  if (event.seq <= turn.seq) return turn;
  const step = STEPS[event.type];
  return { ...(step ? step(turn, event) : turn), seq: event.seq };
}
