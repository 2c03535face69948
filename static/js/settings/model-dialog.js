// An admin's own word on one model: added, or its facts and price set over what the lists say.

import { get, patch, post, remove } from "../api.js";
import { $, busy, h, note } from "../dom.js";
import { toastError, toastOk } from "../toast.js";
import { clearErrors, showErrors } from "./field-errors.js";

const PRICES = {
  input_per_mtok: "#mf-input",
  output_per_mtok: "#mf-out",
  cache_read_per_mtok: "#mf-read",
  cache_write_per_mtok: "#mf-write",
  cache_write_1h_per_mtok: "#mf-write-1h",
};
/** What is billed where a price is left empty and no list says one. */
const BILLED = { cache_read_per_mtok: "as input", cache_write_per_mtok: "as input", cache_write_1h_per_mtok: "as cache write" };
const SKILLS = [["tools", "Tools"], ["thinking", "Thinking"], ["structured_output", "Structured output"]];
const INPUTS = [["image", "Images"], ["document", "Documents"], ["audio", "Audio"], ["video", "Video"]];

/** A whole number where it is one; anything else goes to the server as it is, which says what is wrong with it. */
const number = (text) => (text === "" ? null : /^\d+$/.test(text) ? Number(text) : text);

const said = (selector) => $(selector).value.trim();

/** null for who may not; else `open(config, model)`, where model is a row of /api/models or null for a new one. */
export function createModelDialog({ onSaved }) {
  const dialog = $("#model-dialog");
  if (!dialog) return null;
  const form = $("#model-form");
  const takes = $("#mf-takes");
  let of = null; // {config, model, own}
  let before = "";

  function box(name, text, checked) {
    return h("label", { class: "check small" }, h("input", { type: "checkbox", name, checked }), " ", h("span", {}, text));
  }

  function showTakes(known) {
    const inputs = INPUTS.map(([name, text]) => box(name, text, known.inputs.includes(name)));
    takes.replaceChildren(...inputs, ...SKILLS.map(([name, text]) => box(name, text, Boolean(known[name]))));
  }

  function capabilities() {
    const on = (name) => takes.querySelector(`[name="${name}"]`).checked;
    const skills = Object.fromEntries(SKILLS.map(([name]) => [name, on(name)]));
    return { ...skills, inputs: ["text", ...INPUTS.map(([name]) => name).filter(on)] };
  }

  function values() {
    const priced = Object.fromEntries(Object.entries(PRICES).map(([name, selector]) => [name, said(selector)]).filter(([, text]) => text));
    if (said("#mf-currency")) priced.currency = said("#mf-currency").toUpperCase();
    const stated = Object.keys(priced).some((name) => name !== "currency");
    const body = { label: said("#mf-label"), context_window: number(said("#mf-window")), max_output_tokens: number(said("#mf-output")), price: stated ? priced : null };
    if (JSON.stringify(capabilities()) !== before) body.capabilities = capabilities(); // untouched, it stays as the lists have it
    return body;
  }

  function fill({ config, model, own }) {
    $("#model-dialog-h").textContent = model ? `Price and facts of ${model.model}` : `Add a model to ${config.name}`;
    $("#model-form-text").textContent = model ? "What you leave empty stays as the provider and the price list have it." : "Everybody who uses this provider then sees it among its models.";
    $("#mf-model").value = model?.model ?? "";
    $("#mf-named").hidden = Boolean(model);
    $("#mf-label").value = own?.label ?? "";
    $("#mf-label").placeholder = model?.label ?? "";
    $("#mf-window").value = own?.context_window ?? "";
    $("#mf-window").placeholder = model?.context_window ?? "unknown";
    $("#mf-output").value = own?.max_output_tokens ?? "";
    $("#mf-output").placeholder = model?.max_output_tokens ?? "unknown";
    const listed = model?.price?.source === "list" ? model.price : null;
    for (const [name, selector] of Object.entries(PRICES)) {
      $(selector).value = own?.price?.[name] ?? "";
      $(selector).placeholder = listed?.[name] ?? BILLED[name] ?? "unknown";
    }
    $("#mf-currency").value = own?.price?.currency ?? "";
    showTakes(model?.capabilities ?? { inputs: [], tools: true });
    before = JSON.stringify(capabilities());
    $("#mf-remove").hidden = !own;
    $("#model-form-status").replaceChildren();
  }

  async function save() {
    clearErrors(form);
    $("#model-form-status").replaceChildren();
    const { config, model, own } = of;
    const name = model?.model ?? $("#mf-model").value.trim();
    try {
      if (own) await patch(`models/${own.id}`, values());
      else await post("models", { config: config.id, model: name, ...values() });
    } catch (error) {
      const rest = showErrors(form, error);
      if (rest) $("#model-form-status").replaceChildren(note("bad", "circle-alert", rest));
      return;
    }
    dialog.close();
    toastOk(`${name} saved`);
    await onSaved();
  }

  async function discard() {
    try {
      await remove(`models/${of.own.id}`);
    } catch (error) {
      $("#model-form-status").replaceChildren(note("bad", "circle-alert", error.message));
      return;
    }
    dialog.close();
    toastOk(`${of.own.model}: the lists hold again`);
    await onSaved();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("#mf-save"), save);
  });
  $("#mf-remove").addEventListener("click", (event) => busy(event.currentTarget, discard));

  return async (config, model) => {
    try {
      of = { config, model, own: model?.custom ? await get(`models/${model.custom}`) : null };
    } catch (error) {
      toastError("The model could not be read", error);
      return;
    }
    clearErrors(form);
    fill(of);
    dialog.showModal();
    (model ? $("#mf-input") : $("#mf-model")).focus();
  };
}
