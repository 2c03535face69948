// One tool call in the transcript: name, gist, state; its arguments and result underneath.

import { h, icon } from "../dom.js";
import { duration } from "../format.js";
import { reveal } from "../hidden.js";
import { everySecond, still } from "../ticker.js";
import { isDemoService, serviceBySlug, toolName } from "./catalog.js";
import { mediaList } from "./media.js";

const SHOWN = 20_000;
const STATES = {
  running: ["loader-circle", "Running"],
  waiting: ["hand", "Needs you"],
  finished: ["circle-check", "Done"],
  failed: ["circle-x", "Failed"],
  denied: ["ban", "Denied"],
  expired: ["clock", "Expired"],
  unknown: ["circle-alert", "Outcome unknown"],
  stopped: ["ban", "Not finished"],
};

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function gist(args) {
  const text = Object.values(args).map(asText).join(", ");
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function resultText(parts) {
  return parts.filter((part) => part.type === "text").map((part) => indented(part.text)).join("\n");
}

function capped(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… ${text.length - SHOWN} more characters` : text;
}

function took(tool) {
  if (tool.tookMs != null) return duration(tool.tookMs);
  const ms = tool.startedAt && tool.endedAt ? tool.endedAt - tool.startedAt : null;
  return ms !== null && ms >= 50 ? duration(ms) : null; // below that it is the line's time, not the tool's
}

function stateText(tool) {
  const [, word] = STATES[tool.state] ?? STATES.stopped;
  if (tool.state === "denied") return tool.decision?.by === "policy" ? "Denied by policy" : "Denied";
  if (tool.state === "running" && tool.startedAt) return `Running, ${Math.round((Date.now() - tool.startedAt) / 1000)} s`;
  const time = took(tool);
  if (tool.state === "finished" && time) return [h("span", { class: "sr" }, "Finished in "), time];
  return time && tool.state === "failed" ? `${word}, ${time}` : word;
}

function body(tool, label) {
  const pre = (title, text) => h("pre", { tabindex: "0", "aria-label": `${title} of ${label}` }, ...reveal(capped(text)));
  const nodes = [h("p", { class: "cap" }, "Arguments"), pre("Arguments", JSON.stringify(tool.arguments, null, 2))];
  if (tool.state === "waiting") nodes.push(h("p", { class: "soft" }, "See the question below."));
  if (tool.state === "stopped") nodes.push(h("p", { class: "soft" }, "The run ended before this call did."));
  if (tool.state === "unknown") nodes.push(h("p", { class: "soft" }, "No answer to this call was recorded. It may have run."));
  if (tool.state === "expired") nodes.push(h("p", { class: "soft" }, "Nobody decided in time, so it did not run."));
  const result = tool.parts ? resultText(tool.parts) : "";
  if (result) nodes.push(h("p", { class: "cap" }, tool.isError ? "Error" : "Result"), pre("Result", result));
  return nodes;
}

export function toolRow(first) {
  const { service, tool: shortName } = toolName(first);
  const label = `${service ?? ""} ${shortName}`.trim();
  const demo = isDemoService(serviceBySlug(service));
  const state = h("span", { class: "state" });
  const bodyNode = h("div", { class: "tool-body" });
  const name = h("span", { class: "name" }, ...(service ? [...reveal(service), h("i", {}, "__")] : []), ...reveal(shortName));
  const gistNode = h("span", { class: "gist clip" });
  const details = h(
    "details",
    { class: "tool" },
    h("summary", {}, icon(demo ? "flask-conical" : "plug", "service"), name, gistNode, state, icon("chevron-right", "chevron")),
    bodyNode,
  );

  const node = h("li", {}, details);
  let shown = null;

  /** What a tool brought to look at or to listen to stands beneath it, open or not. Made once: a player must not begin anew. */
  function showMedia(parts) {
    if (shown || !parts) return;
    shown = mediaList(parts, `Media of ${label}`);
    if (shown) node.append(shown);
  }

  function update(tool) {
    const [iconName] = STATES[tool.state] ?? STATES.stopped;
    details.dataset.state = tool.state;
    gistNode.replaceChildren(...reveal(gist(tool.arguments)));
    const show = () => state.replaceChildren(icon(iconName, tool.state === "running" ? "spin" : ""), h("span", {}, stateText(tool)));
    show();
    if (tool.state === "running" && tool.startedAt) everySecond(state, show);
    else still(state);
    bodyNode.replaceChildren(...body(tool, label));
    showMedia(tool.parts);
  }

  update(first);
  return { node, update };
}
