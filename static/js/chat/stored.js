// Turns from what the API stores: messages and run rows. What folding a run's events would have given, also when its log has expired. Pure.

import { TERMINAL, blocksOf, patchTool, replaceWhere, startTurn, takeResults, toolBlock, withBlocks } from "./turn.js";

/** The turn that the stored messages of one run make: what folding its events would have given. What became of a call without result, its row says. */
export function turnOf(run, messages, status = "completed") {
  let turn = startTurn(run, status);
  for (const message of messages) {
    if (message.role === "assistant") {
      turn = { ...turn, step: turn.step + 1, blocks: [...turn.blocks, ...blocksOf(message, turn.step + 1, 0)] };
      turn.attempts = [...turn.attempts, { id: message.id, provider: message.provider, model: message.model, status: "completed", step: turn.step }];
    } else if (message.role === "tool") {
      turn = takeResults(turn, message);
    }
    turn.messages = [...turn.messages, message];
  }
  const isOpen = (block) => block.kind === "tool" && block.state === "running";
  return TERMINAL.has(status) ? withBlocks(turn, replaceWhere(turn.blocks, isOpen, () => ({ state: "stopped" }))) : turn;
}

const ROW_STATES = {
  requested: "running",
  approved: "running",
  dispatched: "running",
  waiting: "waiting",
  denied: "denied",
  expired: "expired",
  unknown: "unknown",
};

/** The turn with what only the run's row knows: decisions, approvals that wait, attempts, usage and cost. */
export function withRun(turn, run) {
  const over = TERMINAL.has(run.status);
  let merged = { ...turn, status: run.status, error: run.error ?? null, usage: run.usage ?? null, cost: run.cost ?? null, currency: run.currency ?? null };
  const steps = run.steps ?? [];
  const attempts = steps.flatMap((step) => step.attempts.map((attempt) => ({ ...attempt, step: step.index })));
  if (attempts.length) merged.attempts = attempts;
  for (const step of steps) {
    for (const call of step.tool_calls ?? []) {
      if (!merged.blocks.some((block) => block.kind === "tool" && block.id === call.id)) {
        merged = withBlocks(merged, [...merged.blocks, toolBlock(step.index, 0, call, null)]);
      }
      merged = patchTool(merged, call.id, (tool) => {
        const state = call.status === "finished" ? (call.is_error ? "failed" : "finished") : (ROW_STATES[call.status] ?? tool.state);
        const approval = state === "waiting" ? { definition_hash: call.definition_hash ?? null, expires_at: call.expires_at ?? null } : tool.approval;
        const took = tool.tookMs ?? call.latency_ms ?? null;
        return { tookMs: took, state: over && ["running", "waiting"].includes(state) ? "stopped" : state, isError: Boolean(call.is_error), approval };
      });
    }
  }
  return merged;
}

/** A conversation's messages as `{run, user, replies}`, oldest first: what a person said and what the run made of it. */
export function groupByRun(messages) {
  const groups = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (message.role === "user") groups.push({ run: message.run ?? null, user: message, replies: [] });
    else if (last && (last.run === message.run || last.run === null || message.run == null)) {
      last.run ??= message.run ?? null;
      last.replies.push(message);
    } else groups.push({ run: message.run ?? null, user: null, replies: [message] });
  }
  return groups;
}

/** An attempt that failed before its provider said anything has no usage; that of one that broke off later is unknown. */
export const isUnused = ({ status, ttft_ms: firstToken, usage }) =>
  status === "failed" && firstToken == null && Object.values(usage ?? {}).every((count) => count == null);

/** Tokens in and out over all attempts; null where an attempt's are unknown, or where nothing was used. */
export function totals(turn) {
  if (turn.attempts.every(isUnused)) return null;
  const settledAttempts = turn.attempts.filter((attempt) => attempt.usage);
  if (turn.usage) return { input: sumOf(turn.usage), output: turn.usage.output_tokens ?? null, cost: turn.cost, currency: turn.currency };
  if (!settledAttempts.length || settledAttempts.length < turn.attempts.length) return null;
  const add = (values) => (values.some((value) => value == null) ? null : values.reduce((sum, value) => sum + Number(value), 0));
  return {
    input: add(settledAttempts.map((attempt) => sumOf(attempt.usage))),
    output: add(settledAttempts.map((attempt) => attempt.usage.output_tokens)),
    cost: add(settledAttempts.map((attempt) => attempt.cost)),
    currency: settledAttempts[0].currency,
  };
}

/** Everything that was read: fresh input, cache reads and cache writes. */
function sumOf(usage) {
  if (usage.input_tokens == null) return null;
  return usage.input_tokens + (usage.cache_read_tokens ?? 0) + (usage.cache_write_tokens ?? 0);
}
