// A turn: what one run has shown so far, as a value. Pure: no DOM, no clock, no network; every change returns a new turn and shares the rest.
//
// A turn:  {run, status, seq, step, blocks, attempts, messages, error, waiting, usage, cost, currency}
// A block: {key, kind, step, seq, …} where kind is
//   text, thinking  {text, done, trail, startedAt, endedAt}
//   tool            {id, name, service, arguments, state, isError, parts, approval, decision, startedAt, endedAt}
//   seam            {from: attempt, to: attempt or null, failure, detail}
//   notice          {text}

export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

export const isOver = (turn) => TERMINAL.has(turn.status);

export function startTurn(run, status = "queued") {
  return {
    run,
    status,
    seq: 0,
    step: 0,
    blocks: [],
    attempts: [],
    messages: [],
    error: null,
    waiting: null,
    usage: null,
    cost: null,
    currency: null,
  };
}

export const withBlocks = (turn, blocks) => ({ ...turn, blocks });

export function replaceWhere(list, matches, change) {
  let changed = false;
  const next = list.map((item) => {
    if (!matches(item)) return item;
    changed = true;
    return { ...item, ...change(item) };
  });
  return changed ? next : list;
}

export const patchTool = (turn, id, change) => withBlocks(turn, replaceWhere(turn.blocks, (block) => block.kind === "tool" && block.id === id, change));

export function toolBlock(step, seq, { id, name, service, arguments: args }, at) {
  return {
    key: `tool:${id}`,
    kind: "tool",
    step,
    seq,
    id,
    name,
    service: service ?? null,
    arguments: args ?? {},
    state: "running",
    isError: false,
    parts: null,
    approval: null,
    decision: null,
    startedAt: at ?? null,
    endedAt: null,
  };
}

export const settled = (tool, isError) => (["denied", "expired"].includes(tool.state) ? tool.state : isError ? "failed" : "finished");

/** The blocks that a stored assistant message makes, in the order of its parts. */
export function blocksOf(message, step, seq) {
  const places = { text: 0, thinking: 0 };
  const blocks = [];
  for (const part of message.parts) {
    if (part.type === "text" || part.type === "thinking") {
      const key = `${part.type}:${step}:${places[part.type]++}`;
      blocks.push({ key, kind: part.type, step, seq, text: part.text, trail: null, done: true, startedAt: null, endedAt: null });
    } else if (part.type === "tool_call") {
      blocks.push(toolBlock(step, seq, part, null));
    }
  }
  return blocks;
}

export function takeResults(turn, message) {
  return message.parts
    .filter((part) => part.type === "tool_result")
    .reduce(
      (folded, part) =>
        patchTool(folded, part.tool_call_id, (tool) => ({ parts: part.parts ?? [], isError: Boolean(part.is_error), state: settled(tool, part.is_error) })),
      turn,
    );
}
