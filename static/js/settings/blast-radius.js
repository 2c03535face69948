// Who depends on a config, in the words of a question: what stops, or goes on otherwise, when its key is replaced or destroyed.

import { get } from "../api.js";
import { count as number, money } from "../format.js";

const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

/** One sentence, or two; "" where nobody depends on it. */
export function inWords(usage) {
  const { conversations, people, active_runs: runs, routes, cost } = usage;
  const parts = [
    people.count && `${counted(people.count, "person", "people")} used it in the last 30 days`,
    conversations.count && `${counted(conversations.count, "conversation points", "conversations point")} at it`,
    routes.length && `${counted(routes.length, "route", "routes")} may choose it`,
    runs && `${counted(runs, "run is", "runs are")} under way`,
  ].filter(Boolean);
  if (!parts.length) return "";
  const spent = cost.map((each) => money(each.amount, each.currency)).join(" and ");
  const names = people.names?.length ? ` It was used by ${people.names.join(", ")}.` : "";
  return `${parts.join(", ")}.${names}${spent ? ` It cost ${spent} in that time.` : ""}`;
}

/** "" too where it cannot be found out: a question is not kept from being asked by that. */
export async function dependents(config) {
  try {
    return inWords(await get(`user/llm-config/${config.id}/usage`));
  } catch {
    return "";
  }
}
