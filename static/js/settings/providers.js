// The providers page: the list, the form, and what happens between them.

import { all, patch, post, remove } from "../api.js";
import { confirmed } from "../dialog.js";
import { $, busy, h, icon, note } from "../dom.js";
import "../menus.js";
import { toastError, toastOk } from "../toast.js";
import { dependents } from "./blast-radius.js";
import { createModelDialog } from "./model-dialog.js";
import { createModelLists } from "./models.js";
import { createProviderForm } from "./provider-form.js";
import { providerRow } from "./provider-list.js";
import { mayHaveOwn, mayShare } from "./rights.js";
import { asking, namedUnder, resultNote } from "./test-result.js";

const PATH = "user/llm-config";
const SHARE_ONE = "Nothing is shared yet. Tick “Share” when you add a provider, and every member can use it.";

let providers = [];
let configs = [];
let models = [];
let form = null;
const results = new Map(); // config id → what makes the note of its last test

const kindOf = (config) => providers.find((provider) => provider.slug === config.provider_type);
const labelOf = (config) => kindOf(config)?.label ?? config.provider_type;

const actions = { test, edit, rotate, restore, shred, toggle, discard, dependents };
const again = () => reload().catch((error) => toastError("The providers could not be read again", error));
const modelLists = createModelLists($("#models"), {
  isDemo: (config) => Boolean(kindOf(config)?.is_demo),
  namedUnder: (config) => namedUnder(kindOf(config)),
  refreshed: again,
  edit: createModelDialog({ onSaved: again }),
});

function showGroup(section, rows, nothing) {
  const list = rows.length
    ? h("ul", { class: "card rows" }, rows.map((config) => providerRow(config, kindOf(config), actions, results.get(config.id)?.())))
    : h("p", { class: "card card-body soft" }, nothing);
  section.querySelector(":scope > ul, :scope > p")?.replaceWith(list);
}

/** Rows are built anew, so the focus is put back on the same control of the same row. */
function show() {
  const focused = document.activeElement?.closest?.("li.provider");
  const label = focused && document.activeElement.getAttribute("aria-label");
  const shared = configs.filter((config) => config.shared);
  const own = configs.filter((config) => !config.shared);
  showGroup($("#shared-configs"), shared, mayShare ? SHARE_ONE : "Nothing is shared yet. An admin can share a provider with every member.");
  showGroup($("#own-configs"), own, "You have no keys of your own yet. Add one with the form.");
  modelLists.show([...own, ...shared], models);
  if (mayHaveOwn) $("#test-all").disabled = !configs.some((config) => config.is_enabled);
  if (focused && !focused.isConnected) {
    const row = document.getElementById(focused.id);
    const control = label ? row?.querySelector(`[aria-label="${CSS.escape(label)}"]`) : row?.querySelector("summary");
    (control ?? $("#own-h")).focus();
  }
}

async function reload() {
  [configs, models] = await Promise.all([all(PATH), all("models")]);
  show();
}

async function test(config) {
  results.set(config.id, () => asking(labelOf(config), config.base_url));
  show();
  try {
    const answer = await post(`${PATH}/test`, { id: config.id });
    results.set(config.id, () => resultNote(kindOf(config) ?? { label: config.provider_type }, answer));
  } catch (error) {
    results.set(config.id, () => note("bad", "circle-alert", error.message));
  }
  await reload().catch(show);
}

async function edit(config) {
  await form.edit(config.id).catch((error) => toastError(`${config.name} could not be read`, error));
}

/** Changes one config and says so; the list is read again, since a new default takes the mark from the old one. */
async function change(config, body, done) {
  try {
    const changed = await patch(`${PATH}/${config.id}`, body);
    results.delete(config.id);
    await reload();
    toastOk(`${config.name} ${done}`);
    return changed;
  } catch (error) {
    toastError(`${config.name} was not changed`, error);
    return null;
  }
}

/** The error that says why the new key was not saved; null when it was. */
async function rotate(config, key, unchecked) {
  try {
    const changed = await patch(`${PATH}/${config.id}${unchecked ? "?validate=false" : ""}`, { api_key: key });
    results.delete(config.id);
    await reload();
    toastOk(`${config.name} has its new key`);
    if (changed.status === "untested" && !changed.status_detail) await test(changed);
    return null;
  } catch (error) {
    return error;
  }
}

async function restore(config) {
  try {
    const restored = await post(`${PATH}/${config.id}/restore-key`, {});
    results.delete(config.id);
    await reload();
    toastOk(`${config.name} has its former key again`);
    if (restored.is_enabled) await test(restored);
  } catch (error) {
    toastError("The former key was not brought back", error);
    await reload().catch(() => {}); // it may be gone by now
  }
}

async function shred(config) {
  const text = "It cannot be brought back after that. The present key stays in use.";
  if (!(await confirmed({ title: `Destroy the replaced key of ${config.name}?`, text, yes: "Destroy key" }))) return;
  try {
    await remove(`${PATH}/${config.id}/retired-keys`);
    await reload();
    toastOk(`The replaced key of ${config.name} is destroyed`);
  } catch (error) {
    toastError("The replaced key was not destroyed", error);
  }
}

function toggle(config) {
  return change(config, { is_enabled: !config.is_enabled }, config.is_enabled ? "is disabled" : "is enabled");
}

async function discard(config) {
  const text = "Its key is destroyed. Conversations keep what was said; those that use it go on with your default model.";
  if (!(await confirmed({ title: `Delete ${config.name}?`, text, more: dependents(config), yes: "Delete provider" }))) return;
  try {
    await remove(`${PATH}/${config.id}`);
    form.forget(config.id);
    await reload();
    toastOk(`${config.name} deleted`);
  } catch (error) {
    toastError(`${config.name} was not deleted`, error);
  }
}

$("#test-all")?.addEventListener("click", (event) =>
  busy(event.currentTarget, () => Promise.all(configs.filter((config) => config.is_enabled).map(test))),
);

/** Saving does not call the vendor; the row then says by itself whether what was saved works. */
async function saved(config) {
  const others = (config.same_key_as ?? []).map((other) => other.name);
  const twice = others.length ? ` This key is saved as ${others.join(" and ")} too.` : config.same_key_elsewhere ? " Somebody else here has saved this key too." : "";
  toastOk(`${config.name} saved.${twice}`);
  results.delete(config.id);
  await reload().catch(() => {});
  if (config.status === "untested" && config.is_enabled) await test(config);
}

try {
  [providers] = await Promise.all([all("providers"), reload()]);
  show();
  const listedModels = (id) => models.filter((model) => model.id.startsWith(`${id}/`)).map((model) => ({ id: model.model, label: model.label }));
  if (mayHaveOwn) form = createProviderForm({ providers, listedModels, onSaved: saved });
  if (mayHaveOwn && location.hash === "#add") $("#provider").focus();
} catch (error) {
  for (const section of [$("#shared-configs"), $("#own-configs")]) section.querySelector("ul")?.remove();
  $("#shared-configs").append(note("bad", "circle-alert", `The providers could not be read. ${error.message}`, h("div", { class: "row" }, h("a", { class: "button small", href: "" }, icon("refresh-cw"), " Reload"))));
}
