// The tools of one service: what each does, how its definition stands, and its policy.

import { badge, h } from "../dom.js";
import { reveal } from "../hidden.js";
import { mayChange } from "./rights.js";

const POLICIES = [
  ["auto", "Auto", "ok"],
  ["ask", "Ask", "warn"],
  ["deny", "Deny", "bad"],
];

/** What the service says of its own tool; only a tool that reads may run by itself. */
const writes = ({ annotations }) => annotations?.destructiveHint === true || annotations?.readOnlyHint === false;

function badges(tool) {
  const nodes = [];
  if (tool.state === "changed") nodes.push(badge("Changed", "warn", "shield-alert"));
  if (tool.state === "new") nodes.push(badge("New", "accent"));
  if (tool.annotations?.destructiveHint) nodes.push(badge("Destructive", "bad", "triangle-alert"));
  else if (tool.read_only) nodes.push(badge("Read-only"));
  return nodes;
}

function policy(service, tool, onPolicy) {
  const group = `policy-${service.id}-${tool.name}`;
  const labels = POLICIES.map(([value, text, kind]) => {
    const refused = value === "auto" && value !== tool.policy && writes(tool);
    const input = h("input", { type: "radio", name: group, value, checked: tool.policy === value, disabled: refused || !mayChange(service) });
    input.addEventListener("change", () => onPolicy(tool, value));
    return h("label", { class: kind, title: refused ? "The service says that this tool changes data" : null }, input, " ", text);
  });
  return h("fieldset", { class: "segmented policy" }, h("legend", { class: "sr" }, `Policy of ${tool.name}`), labels);
}

export function toolsTable(service, tools, onPolicy) {
  const head = h("thead", {}, h("tr", {}, ["Tool", "Definition", "Policy"].map((text) => h("th", { scope: "col" }, text))));
  const rows = tools.map((tool) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("span", { class: "mono" }, ...reveal(tool.name)), h("div", { class: "tiny muted" }, ...reveal(tool.description ?? ""))),
      h("td", {}, h("span", { class: "row wrap" }, badges(tool))),
      h("td", { class: "line" }, policy(service, tool, onPolicy)),
    ),
  );
  return h("table", { class: "fold" }, head, h("tbody", {}, rows));
}

/** Policies counted, as "8 auto, 3 ask". */
export function policySum(tools) {
  const parts = POLICIES.map(([value]) => [value, tools.filter((tool) => tool.policy === value).length]).filter(([, number]) => number);
  return parts.map(([value, number]) => (number === tools.length && number > 1 ? `all ${value}` : `${number} ${value}`)).join(", ");
}
