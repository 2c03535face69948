// The form that connects or changes a service.

import { ApiError, newKey, patch, post } from "../api.js";
import { $, busy, note, ready } from "../dom.js";
import { clearErrors, showErrors } from "./field-errors.js";

export function createServiceForm({ onSaved }) {
  const form = $("#connect");
  const token = $("#token");
  const result = $("#result");
  let editing = null;
  let createKey = newKey();

  const auth = () => form.querySelector('[name="auth"]:checked').value;

  function body() {
    const fields = { display_name: $("#sname").value.trim(), url: $("#surl").value.trim(), transport: $("#transport").value, auth_type: auth() };
    if (fields.auth_type === "bearer" && token.value) fields.token = token.value;
    return fields;
  }

  async function save() {
    clearErrors(form);
    result.replaceChildren(note("", "loader-circle", editing ? "Saving…" : "Connecting…"));
    try {
      const saved = editing
        ? await patch(`user/services/${editing.id}`, body())
        : await post("user/services", body(), { idempotencyKey: createKey });
      const wasNew = !editing;
      api.reset();
      onSaved(saved, wasNew);
    } catch (error) {
      createKey = newKey();
      const rest = error instanceof ApiError ? showErrors(form, error) : String(error);
      result.replaceChildren(...(rest ? [note("bad", "circle-alert", rest)] : []));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("#save"), save);
  });
  $("#cancel-edit").addEventListener("click", () => api.reset());

  function show(service) {
    editing = service;
    createKey = newKey();
    $("#sname").value = service?.display_name ?? "";
    $("#surl").value = service?.url ?? "";
    $("#transport").value = service?.transport ?? "streamable-http";
    form.querySelector(`[name="auth"][value="${service?.auth_type === "bearer" ? "bearer" : "none"}"]`).checked = true;
    token.value = "";
    $("#token-hint").textContent = service?.auth_type === "bearer" ? "Leave it empty to keep the stored token." : "Sealed when saved, and sent to this service only.";
    $("#connect-h").textContent = service ? `Change ${service.display_name}` : "Connect a service";
    $("#save").textContent = service ? "Save changes" : "Connect";
    $("#cancel-edit").hidden = !service;
    result.replaceChildren();
    clearErrors(form);
  }

  const api = {
    reset: () => show(null),
    edit(service) {
      show(service);
      form.scrollIntoView({ block: "nearest" });
      $("#sname").focus();
    },
    forget(id) {
      if (editing?.id === id) show(null);
    },
  };
  show(null);
  ready(form);
  return api;
}
