// The policy as admins change it. "Only these" with nothing in it allows nothing, and says so before it is saved.

import { ApiError, all, patch } from "../api.js";
import { confirmed } from "../dialog.js";
import { $, busy, h, note } from "../dom.js";
import { clearErrors, showErrors } from "../settings/field-errors.js";
import { toastOk } from "../toast.js";

const LISTS = { providers: "allowed_providers", models: "allowed_models", hosts: "allowed_hosts" };
const DAYS = { pretention: "retention_days", paudit: "audit_retention_days", ptokens: "token_max_days" };

const lines = (area) => area.value.split("\n").map((line) => line.trim()).filter(Boolean);

/** Empty is no limit; what is no number goes to the API as it is, which says so at its field. */
const days = (text) => (text === "" ? null : /^\d+$/.test(text) ? Number(text) : text);

export async function createPolicyForm(organization) {
  const form = $("#policy");
  const status = $("#policy-status");
  const providers = $("#provider-list");
  let saved = organization;

  const isLimited = (name) => form.querySelector(`[name="${name}"]:checked`).value === "only";
  const boxOf = (name) => form.querySelector(`[data-field="${LISTS[name]}"] .allowed`);

  function providerBox({ slug, label }) {
    return h("label", { class: "check small" }, h("input", { type: "checkbox", value: slug }), h("span", {}, label));
  }

  function chosen(name) {
    if (!isLimited(name)) return null;
    if (name === "providers") return [...providers.querySelectorAll(":checked")].map((box) => box.value);
    return lines($(`#p${name}`));
  }

  function toggle(name) {
    boxOf(name).hidden = !isLimited(name);
  }

  function fill(row) {
    saved = row;
    $("#oname").value = row.name;
    for (const [name, field] of Object.entries(LISTS)) {
      form.querySelector(`[name="${name}"][value="${row[field] === null ? "any" : "only"}"]`).checked = true;
      if (name === "providers") for (const box of providers.querySelectorAll("input")) box.checked = (row[field] ?? []).includes(box.value);
      else $(`#p${name}`).value = (row[field] ?? []).join("\n");
      toggle(name);
    }
    $("#pkeys").checked = row.members_may_bring_keys;
    $("#pmfa").checked = row.requires_mfa;
    for (const [id, field] of Object.entries(DAYS)) $(`#${id}`).value = row[field] ?? "";
  }

  function body() {
    const fields = { name: $("#oname").value.trim(), members_may_bring_keys: $("#pkeys").checked, requires_mfa: $("#pmfa").checked };
    for (const [name, field] of Object.entries(LISTS)) fields[field] = chosen(name);
    for (const [id, field] of Object.entries(DAYS)) fields[field] = days($(`#${id}`).value.trim());
    return fields;
  }

  /** What takes something away for good, or from everybody, is asked first. */
  function doubts(fields) {
    const shorter = fields.retention_days !== null && (saved.retention_days === null || fields.retention_days < saved.retention_days);
    const nothing = Object.entries(LISTS).filter(([, field]) => fields[field]?.length === 0).map(([name]) => name);
    return [
      shorter && `Conversations that nobody has touched for ${fields.retention_days} days are deleted, the first ones within a day.`,
      nothing.length > 0 && `No ${nothing.join(" and no ")} will be allowed at all.`,
    ].filter(Boolean).join(" ");
  }

  async function save() {
    clearErrors(form);
    status.replaceChildren();
    const fields = body();
    const text = doubts(fields);
    if (text && !(await confirmed({ title: "Save this policy?", text, yes: "Save policy" }))) return;
    try {
      const renamed = fields.name !== saved.name;
      fill(await patch("organization", fields));
      toastOk("Policy saved", "It holds from the next request on.");
      if (renamed) location.reload();
    } catch (error) {
      const rest = error instanceof ApiError ? showErrors(form, error) : String(error);
      status.replaceChildren(...(rest ? [note("bad", "circle-alert", rest)] : []));
    }
  }

  for (const name of Object.keys(LISTS)) {
    for (const radio of form.querySelectorAll(`[name="${name}"]`)) radio.addEventListener("change", () => toggle(name));
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("#policy-save"), save);
  });
  providers.replaceChildren(...(await all("providers")).map(providerBox));
  fill(organization);
}
