// The services page: the list with tools and policies, changed definitions, and the form that connects more.

import { ApiError, all, patch, post, remove } from "../api.js";
import { confirmed } from "../dialog.js";
import { $, h, note } from "../dom.js";
import { keyed } from "../keyed.js";
import "../menus.js";
import { toastError, toastOk } from "../toast.js";
import { definitionChange } from "./definition-change.js";
import { mayHaveOwn } from "./rights.js";
import { createServiceForm } from "./service-form.js";
import { serviceRow } from "./service-row.js";

const PATH = "user/services";
const CONNECT_ONE = "No service is connected. Connect an MCP server with the form: its tools are listed here, and nothing of it runs without its policy.";
const states = new Map();
const list = h("ul", { class: "card rows" });
const showRows = keyed(list, () => $("#list-h").focus());
const showChanges = keyed($("#changes"), () => ($("#changes .diff") ?? $("#list-h")).focus());
const form = mayHaveOwn ? createServiceForm({ onSaved: saved }) : null;
const actions = { test, edit: (service) => form.edit(service), toggle, discard, policy, revoke };

const toolPath = (service, tool) => `${PATH}/${service.id}/tools/${encodeURIComponent(tool.name)}`;

function put(id, change) {
  if (states.has(id)) states.set(id, { ...states.get(id), ...change });
  show();
}

function sum() {
  const tools = [...states.values()].reduce((total, { tools: own }) => total + own.length, 0);
  const word = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  return states.size ? `${word(states.size, "service")}, ${word(tools, "tool")}` : "";
}

function show() {
  const all = [...states.values()];
  showRows(all.map((state) => ({ key: state.service.id, value: state, make: (value) => serviceRow(value, actions) })));
  $("#services-sum").textContent = sum();
  const nothing = h("p", { class: "card card-body soft" }, mayHaveOwn ? CONNECT_ONE : "No service is shared. An admin can share an MCP server with every member.");
  const before = $("#services").querySelector(":scope > ul, :scope > p");
  if (before !== list || !all.length) before.replaceWith(all.length ? list : nothing);
  const changed = all.flatMap(({ service, tools }) => tools.filter((tool) => tool.state !== "approved").map((tool) => ({ service, tool })));
  $("#changes").hidden = !changed.length;
  showChanges(
    changed.map(({ service, tool }) => ({
      key: `${service.id}/${tool.name}/${tool.state}/${tool.pending_hash ?? tool.definition_hash}/${tool.policy}`,
      value: null,
      make: () => ({ node: definitionChange(service, tool, { onApprove: (row) => approve(service, row), onDeny: (row) => policy(service, row, "deny") }) }),
    })),
  );
}

const optional = (path) => all(path).catch((error) => (error instanceof ApiError ? [] : Promise.reject(error)));

async function readTools(id) {
  const [tools, grants] = await Promise.all([optional(`${PATH}/${id}/tools`), mayHaveOwn ? optional(`${PATH}/${id}/grants`) : []]);
  put(id, { tools, grants });
}

async function reload() {
  const services = await all(PATH);
  const known = new Map(states);
  states.clear();
  for (const service of services) states.set(service.id, { tools: [], grants: [], latency: null, note: null, ...known.get(service.id), service });
  show();
  await Promise.all(services.map((service) => readTools(service.id)));
}

function testNote(service, answer) {
  if (answer.ok) {
    const count = answer.tools.length;
    const tools = `; ${count} ${count === 1 ? "tool" : "tools"} found`;
    return note("ok", "circle-check", h("b", {}, "It works."), ` ${service.display_name} answered in ${answer.latency_ms} ms${tools}.`);
  }
  return note("bad", "circle-alert", h("b", {}, "It did not work."), ` ${answer.error?.detail ?? "No reason was given."}`);
}

async function test(service) {
  put(service.id, { note: note("", "loader-circle", `Asking ${service.display_name}…`) });
  try {
    const answer = await post(`${PATH}/${service.id}/test`);
    put(service.id, { note: testNote(service, answer), latency: answer.ok ? answer.latency_ms : null });
  } catch (error) {
    put(service.id, { note: note("bad", "circle-alert", error.message) });
  }
  await reload().catch(() => {});
}

async function saved(service, isNew) {
  toastOk(`${service.display_name} ${isNew ? "connected" : "saved"}`);
  if (!isNew) await test(service); // a new one was asked for its tools when it was made
  else await reload().catch(() => {});
}

async function toggle(service) {
  try {
    put(service.id, { service: await patch(`${PATH}/${service.id}`, { is_enabled: service.is_enabled === false }) });
    toastOk(`${service.display_name} is ${service.is_enabled === false ? "enabled" : "disabled"}`);
  } catch (error) {
    toastError(`${service.display_name} was not changed`, error);
  }
}

async function discard(service) {
  const text = "Agents can no longer call its tools. Its token and every approval given to it are destroyed.";
  if (!(await confirmed({ title: `Delete ${service.display_name}?`, text, yes: "Delete service" }))) return;
  try {
    await remove(`${PATH}/${service.id}`);
    states.delete(service.id);
    form.forget(service.id);
    show();
    toastOk(`${service.display_name} deleted`);
  } catch (error) {
    toastError(`${service.display_name} was not deleted`, error);
  }
}

async function policy(service, tool, value) {
  try {
    await patch(toolPath(service, tool), { policy: value });
  } catch (error) {
    toastError(`The policy of ${tool.name} was not changed`, error);
  }
  await readTools(service.id);
}

async function approve(service, tool) {
  try {
    await post(`${toolPath(service, tool)}/approve`, { definition_hash: tool.pending_hash ?? tool.definition_hash });
    toastOk(`${tool.name} may be called`);
  } catch (error) {
    toastError(`${tool.name} was not approved`, error);
  }
  await readTools(service.id);
}

async function revoke(service, grant) {
  try {
    await remove(`${PATH}/${service.id}/grants/${grant.id}`);
    toastOk("Approval revoked", "The tool asks again from the next call on.");
  } catch (error) {
    toastError("It was not revoked", error);
  }
  await readTools(service.id);
}

try {
  await reload();
  if (mayHaveOwn && location.hash === "#connect") $("#sname").focus();
} catch (error) {
  $("#services").querySelector("ul")?.replaceWith(note("bad", "circle-alert", `The services could not be read. ${error.message}`));
}
