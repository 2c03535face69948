// Following one run: its events as they come, or, when its log has expired, its rows until it is over.

import { all, get } from "../api.js";
import { follow } from "../sse.js";
import { fold } from "./fold.js";
import { turnOf, withRun } from "./stored.js";
import { isOver, startTurn } from "./turn.js";

const REPLAY_MS = 500;
const POLL_MS = 2000;

async function pollRows(run, conversation, signal, onTurn) {
  while (!signal.aborted) {
    const [row, messages] = await Promise.all([get(`runs/${run}`, { signal }), all(`conversations/${conversation}/messages`, { signal })]);
    const turn = withRun(
      turnOf(run, messages.filter((message) => message.run === run && message.role !== "user")),
      row,
    );
    onTurn(turn, null);
    if (isOver(turn)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Calls `onTurn(turn, event)` after each event until the run is over or `signal` aborts; `onLine(open)` when the line breaks or is back.
 * `fresh`: the run was started by this page a moment ago, so its first events are live, not replayed.
 */
export async function followRun({ run, conversation, fresh, signal, onTurn, onLine }) {
  let turn = startTurn(run);
  let liveFrom = fresh ? 0 : Infinity;
  const onOpen = (resumed) => {
    if (!fresh || resumed) liveFrom = Date.now() + REPLAY_MS;
    onLine(true);
  };
  const onEvent = (event) => {
    const now = Date.now();
    turn = fold(turn, { ...event, at: now >= liveFrom ? now : null });
    onTurn(turn, event);
    return isOver(turn);
  };
  try {
    await follow(`/api/runs/${run}/events`, { signal, onEvent, onOpen, onLost: () => onLine(false) });
  } catch (error) {
    if (error.status !== 410) throw error;
    await pollRows(run, conversation, signal, onTurn);
  }
}
