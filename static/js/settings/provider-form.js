// The form that adds or changes a provider config: its fields come from the provider's schemas, its test runs before anything is saved.

import { ApiError, get, newKey, patch, post } from "../api.js";
import { $, busy, button, h, note, ready } from "../dom.js";
import { clearErrors, showErrors } from "./field-errors.js";
import { createModelField } from "./model-field.js";
import { fillProviders } from "./provider-select.js";
import { schemaFields } from "./schema-fields.js";
import { asking, isRefusedKey, namedUnder, resultNote } from "./test-result.js";

const OWN_INPUTS = ["api_key", "base_url", "name", "model"];
const KEY_HINT = "Sealed when saved. Only its last four characters are ever shown again.";

/** Whose address has no default is asked for it ahead of the key. */
const asksAddressFirst = (asks) => {
  const names = Object.keys(asks?.properties ?? {});
  return names.includes("base_url") && names.indexOf("base_url") < names.indexOf("api_key");
};

/** Off and unset are one to a form. */
function differs(one, other) {
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
  return [...names].some((name) => JSON.stringify(one?.[name] || null) !== JSON.stringify(other?.[name] || null));
}

export function createProviderForm({ providers, listedModels, onSaved }) {
  const form = $("#add");
  const select = $("#provider");
  const name = $("#name");
  const key = $("#key");
  const base = $("#base");
  const result = $("#result");
  const modelField = createModelField();
  let editing = null;
  let named = false; // whether the person has typed a name: a suggestion must not overwrite it
  let credentials = null;
  let options = null;
  let createKey = newKey();

  const kind = () => providers.find((provider) => provider.slug === select.value);

  function showSchemaFields() {
    const { credential_schema: asks, options_schema: offers, label } = kind();
    const secrets = Object.keys(asks?.properties ?? {}).filter((property) => !OWN_INPUTS.includes(property));
    const prefix = (property) => (asks.properties[property].writeOnly ? "credentials" : "options");
    const stored = Boolean(editing?.has_credentials);
    credentials = schemaFields(asks ?? { properties: {} }, secrets, { prefix, values: editing?.options ?? {}, stored });
    $("#credential-fields").replaceChildren(...credentials.nodes);
    $("#credential-fields").hidden = !secrets.length;
    const names = Object.keys(offers?.properties ?? {});
    options = schemaFields(offers ?? { properties: {} }, names, { prefix: () => "options", values: editing?.options ?? {} });
    $("#option-fields").replaceChildren(...options.nodes);
    $("#options").hidden = !names.length;
    $("#options-title").textContent = `Options for ${label}`;
  }

  function showProvider() {
    const { slug, label, is_demo: isDemo, default_base_url: defaultBase, credential_schema: asks } = kind();
    const has = (property) => Boolean(asks?.properties?.[property]);
    const keyField = form.querySelector('[data-field="api_key"]');
    const baseField = form.querySelector('[data-field="base_url"]');
    keyField.hidden = !has("api_key");
    baseField.hidden = isDemo || !(has("base_url") || defaultBase);
    if (asksAddressFirst(asks)) keyField.before(baseField);
    else $("#credential-fields").after(baseField);
    $("#demo-note").hidden = !isDemo;
    if (!named && !editing) name.value = label;
    key.value = "";
    key.required = Boolean(asks?.required?.includes("api_key")) && !editing;
    key.placeholder = editing?.api_key_hint ? `Stored: ${editing.api_key_hint}` : "";
    const help = asks?.properties?.api_key?.description;
    $("#key-hint").textContent = editing?.api_key_hint ? "Leave it empty to keep the stored key." : [help, KEY_HINT].filter(Boolean).join(" ");
    base.value = editing ? (editing.base_url ?? "") : (defaultBase ?? "");
    baseField.querySelector("label").textContent = asks?.properties?.base_url?.title ?? "Base URL";
    const moved = editing ? "Naming another host clears the key." : "Naming another host later clears the key.";
    $("#base-hint").textContent = [asks?.properties?.base_url?.description, moved].filter(Boolean).join(" ");
    $("#fetch-models").setAttribute("aria-label", `Fetch models from ${label} again`);
    form.dataset.provider = slug;
    showSchemaFields();
    const known = editing ? listedModels(editing.id) : [];
    const untested = namedUnder(kind()) ? `${label} lists no models: name one here, or under ${namedUnder(kind())}.` : `${label} lists its models when you test the connection.`;
    const text = known.length ? listed(known.length, "as listed at the last test") : untested;
    modelField.show(known, editing?.model ?? "", text);
    result.replaceChildren();
    clearErrors(form);
  }

  function listed(count, when) {
    const under = namedUnder(kind());
    return `${count} ${count === 1 ? "model" : "models"}, ${under ? `as named under ${under}` : when}.`;
  }

  function body() {
    const { slug, credential_schema: asks } = kind();
    const typed = credentials.read();
    const isSecret = ([property]) => asks.properties[property].writeOnly;
    const secrets = Object.fromEntries(Object.entries(typed).filter(isSecret));
    const open = Object.fromEntries(Object.entries(typed).filter((pair) => !isSecret(pair)));
    const fields = {
      name: name.value.trim(),
      model: modelField.value,
      options: { ...open, ...options.read() },
      is_default: $("#is-default").checked,
      shared: $("#shared").checked,
    };
    if (!editing) fields.provider_type = slug;
    if (key.value && !key.closest(".field").hidden) fields.api_key = key.value;
    if (Object.keys(secrets).length) fields.credentials = secrets;
    if (!base.closest(".field").hidden) fields.base_url = base.value.trim();
    return fields;
  }

  const changed = (fields) => ["model", "base_url", "name"].some((field) => fields[field] !== undefined && fields[field] !== (editing[field] ?? "")) || differs(fields.options, editing.options);

  /** What the form itself sees, before anything is sent. */
  function accepted() {
    clearErrors(form);
    const errors = [...credentials.problems(), ...options.problems()];
    if (errors.length) fail(new ApiError(400, errors));
    return !errors.length;
  }

  /** A stored key cannot be read back: without a new one, the saved config is tested as it stands. */
  function testBody() {
    const fields = body();
    if (!editing) return { request: fields, extra: "" };
    if (fields.api_key || fields.credentials) return { request: { ...fields, provider_type: editing.provider_type }, extra: "" };
    return { request: { id: editing.id }, extra: changed(fields) ? "The settings as saved were tested; save your changes, then test again." : "" };
  }

  function fail(error) {
    const rest = error instanceof ApiError ? showErrors(form, error) : String(error);
    result.replaceChildren(...(rest ? [note("bad", "circle-alert", rest)] : []));
  }

  async function test() {
    if (!accepted()) return;
    const { label } = kind();
    const { request, extra } = testBody();
    result.replaceChildren(asking(label, request.base_url ?? base.value));
    try {
      const answer = await post("user/llm-config/test", request);
      result.replaceChildren(resultNote(kind(), answer, extra));
      if (!answer.ok) return;
      const found = answer.models.map((model) => (typeof model === "string" ? { id: model, label: "" } : model));
      const chosen = modelField.value || (found[0]?.id ?? "");
      modelField.show(found, chosen, listed(found.length, `listed by ${label} just now`));
    } catch (error) {
      fail(error);
    }
  }

  /** A key that the provider refuses does not replace one that works, unless the person wants it to. */
  function offerAnyway(error) {
    if (!editing || !isRefusedKey(error)) return;
    const anyway = button("Save all the same", { class: "small", on: { click: () => busy(anyway, () => save({ unchecked: true })) } });
    result.append(h("div", { class: "row" }, anyway));
  }

  async function save({ unchecked = false } = {}) {
    if (!accepted()) return;
    const fields = body();
    try {
      const saved = editing
        ? await patch(`user/llm-config/${editing.id}${unchecked ? "?validate=false" : ""}`, fields)
        : await post("user/llm-config", fields, { idempotencyKey: createKey });
      api.reset();
      onSaved(saved);
    } catch (error) {
      if (error.status >= 400) createKey = newKey(); // a corrected body is another request
      fail(error);
      offerAnyway(error);
    }
  }

  fillProviders(select, providers);
  select.addEventListener("change", showProvider);
  name.addEventListener("input", () => (named = name.value.trim() !== ""));
  for (const id of ["#test", "#fetch-models"]) $(id).addEventListener("click", (event) => busy(event.currentTarget, test));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("#save"), () => save());
  });
  $("#cancel-edit").addEventListener("click", () => {
    const { id } = editing;
    api.reset();
    document.getElementById(`config-${id}`)?.querySelector("summary")?.focus();
  });

  const api = {
    reset() {
      editing = null;
      named = false;
      createKey = newKey();
      select.disabled = false;
      $("#shared").checked = $("#is-default").checked = false;
      $("#add-h").textContent = "Add a provider";
      $("#save").textContent = "Save provider";
      $("#cancel-edit").hidden = true;
      showProvider();
    },
    async edit(id) {
      editing = await get(`user/llm-config/${id}`);
      select.value = editing.provider_type;
      select.disabled = true;
      name.value = editing.name;
      $("#shared").checked = editing.shared;
      $("#is-default").checked = editing.is_default;
      $("#add-h").textContent = `Change ${editing.name}`;
      $("#save").textContent = "Save changes";
      $("#cancel-edit").hidden = false;
      showProvider();
      form.scrollIntoView({ block: "nearest" });
      name.focus();
    },
    /** The config under change is gone. */
    forget(id) {
      if (editing?.id === id) api.reset();
    },
  };
  api.reset();
  ready(form);
  return api;
}
