// The model of a config: chosen from what the provider lists, or typed.

import { $, h } from "../dom.js";

const OTHER = "\u0000other"; // no model is called this

export function createModelField() {
  const select = $("#model");
  const other = $("#model-other");
  const hint = $("#model-hint");

  function showOther() {
    other.hidden = select.value !== OTHER;
    if (!other.hidden) other.focus();
  }

  select.addEventListener("change", showOther);

  const field = {
    get value() {
      return select.value === OTHER ? other.value.trim() : select.value;
    },
    /** `models`: `{id, label}` rows. The chosen name stays chosen, also when the list does not hold it. */
    show(models, chosen, text) {
      const ids = models.map((model) => model.id);
      const rows = chosen && !ids.includes(chosen) ? [{ id: chosen, label: "" }, ...models] : models;
      const nothing = h("option", { value: "" }, rows.length ? "The first of the list" : "Test to list the models");
      const options = rows.map(({ id, label }) => h("option", { value: id }, named(id, label)));
      select.replaceChildren(nothing, ...options, h("option", { value: OTHER }, "Other…"));
      select.value = chosen ?? "";
      other.value = "";
      other.hidden = true;
      hint.textContent = text;
    },
  };
  return field;
}

/** A label that begins with the model's name (Ollama's does) stands alone. */
function named(id, label) {
  if (!label) return id;
  return label.startsWith(id) ? label : `${id} (${label})`;
}
