// One service: what it is, how it stands, its tools, and the grants people gave its tools.

import { badge, busy, button, h, icon, moreMenu, note } from "../dom.js";
import { ago } from "../format.js";
import { reveal } from "../hidden.js";
import { demoBadge, statusLine } from "../words.js";
import { mayChange, mayHaveOwn } from "./rights.js";
import { policySum, toolsTable } from "./tools-table.js";

const TRANSPORTS = { "streamable-http": "streamable HTTP", sse: "SSE", stdio: "stdio" };

function grantRow(grant, onRevoke) {
  const { tool } = grant;
  return h(
    "li",
    { class: "row wrap small" },
    icon("shield-check"),
    h("span", {}, h("span", { class: "mono" }, tool), grant.run ? " for one run" : " always", grant.created_at ? `, since ${ago(grant.created_at)}` : ""),
    button("Revoke", { class: "small quiet danger push", "aria-label": `Revoke the approval of ${tool}`, on: { click: (event) => busy(event.currentTarget, () => onRevoke(grant)) } }),
  );
}

function stateOf({ service, tools, latency }) {
  const blocked = tools.filter((tool) => tool.state !== "approved").length;
  if (service.is_enabled === false) return statusLine("disabled");
  if (blocked) return h("span", { class: "status warn" }, h("span", { class: "dot" }), ` ${blocked} ${blocked === 1 ? "tool" : "tools"} blocked`);
  const line = statusLine(service.status);
  return latency == null ? line : [line, h("div", { class: "tiny muted" }, `${latency} ms`)];
}

/** Why the last try to reach it failed, or what of its list was left out, until it is tested again. */
function trouble(service) {
  if (service.is_enabled !== false && service.status === "connected" && service.status_detail) return note("warn", "info", ...reveal(service.status_detail));
  if (service.is_enabled === false || !["unreachable", "unauthorized", "error"].includes(service.status)) return null;
  return note("bad", "circle-alert", service.status_detail || "It did not answer when it was last asked. Its tools are off until it does.");
}

function facts({ service, tools }) {
  const count = tools.length ? `${tools.length} ${tools.length === 1 ? "tool" : "tools"}` : null;
  return [service.is_demo ? "built in" : service.url, service.is_demo ? null : TRANSPORTS[service.transport], count, policySum(tools)].filter(Boolean);
}

/**
 * A view for `keyed`: state is `{service, tools, grants, latency, note}`. The disclosure stays as the reader left it.
 * `actions`: test, edit, toggle, discard, policy, revoke.
 */
export function serviceRow(first, actions) {
  const line = h("div", { class: "provider" });
  const space = h("div", { role: "status" });
  const content = h("div", { class: "stack" });
  const details = h("details", {}, h("summary", { class: "row small soft" }, icon("chevron-right", "chevron"), " Tools and policies"), content);
  const node = h("li", { class: "stack", id: `service-${first.service.id}` }, line, space, details);

  const changes = (service, item) => [
    !service.is_demo && item("Edit", "pencil", () => actions.edit(service)),
    item(service.is_enabled === false ? "Enable" : "Disable", service.is_enabled === false ? "check" : "pause", () => actions.toggle(service)),
    h("hr"),
    item("Delete", "trash-2", () => actions.discard(service), "danger"),
  ];

  function top({ service, ...rest }) {
    const item = (text, iconName, work, kind = null) => button(text, { class: kind, on: { click: work } }, iconName);
    return [
      h("span", { class: "mark", "aria-hidden": "true" }, icon(service.is_demo ? "flask-conical" : "plug")),
      h(
        "div",
        {},
        h("div", { class: "title" }, service.display_name, service.is_demo && demoBadge(), service.auth_type === "bearer" && badge("Bearer", "", "key-round"), service.shared && badge("Shared")),
        h("div", { class: "meta" }, facts({ service, ...rest }).map((text) => h("span", {}, text))),
      ),
      h("div", { class: "state" }, stateOf({ service, ...rest })),
      h(
        "div",
        { class: "actions" },
        mayHaveOwn && button("Test", { class: "small desk", "aria-label": `Test ${service.display_name}`, on: { click: (event) => busy(event.currentTarget, () => actions.test(service)) } }),
        mayHaveOwn && moreMenu(`More for ${service.display_name}`, [item("Test connection", "activity", () => actions.test(service)), ...(mayChange(service) ? changes(service, item) : [])]),
      ),
    ];
  }

  function update(state) {
    const { service, tools, grants, note: message } = state;
    const label = line.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    line.replaceChildren(...top(state));
    if (label) line.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
    const told = trouble(service);
    space.replaceChildren(...[message, (!message || service.status === "connected") && told].filter(Boolean));
    details.hidden = !tools.length;
    const focused = content.contains(document.activeElement) ? [document.activeElement.name, document.activeElement.value] : null;
    content.replaceChildren(
      toolsTable(service, tools, (tool, value) => actions.policy(service, tool, value)),
      ...(grants.length ? [h("h3", { class: "small" }, "What you allowed without asking"), h("ul", { class: "stack tight" }, grants.map((grant) => grantRow(grant, (chosen) => actions.revoke(service, chosen))))] : []),
    );
    if (focused) content.querySelector(`[name="${CSS.escape(focused[0])}"][value="${CSS.escape(focused[1])}"]`)?.focus();
  }

  update(first);
  return { node, update };
}
