// What a screen reader hears of a run: its turning points, never its deltas.

import { announce } from "../announce.js";
import { providerLabel, toolName } from "./catalog.js";

function words(turn, { type, data }) {
  if (type === "attempt.started") {
    const [before, now] = turn.attempts.slice(-2);
    if (!now) return "Assistant is answering";
    return before.status === "failed" && before.provider !== now.provider ? `Continued with ${providerLabel(now.provider)}` : null;
  }
  if (type === "tool_call.approval_required") {
    const { service, tool } = toolName(data);
    return `${service ?? ""} ${tool} needs your approval`.trim();
  }
  if (type === "run.completed") return "Answer complete";
  if (type === "run.failed") return "The run failed";
  return type === "run.cancelled" ? "Stopped" : null;
}

export function narrate(turn, event) {
  const text = event && words(turn, event);
  if (text) announce(text);
}
