// The filters of the audit page: kept in the address, so that a view can be linked to; the export takes the same.

import { $, h } from "../dom.js";

const NAMES = ["q", "actor", "action", "outcome", "from", "to"];
const PAUSE_MS = 300;

export function createFilters(form, onChange) {
  const controls = NAMES.map((name) => form.elements.namedItem(name));
  let waiting = null;

  const query = () => controls.filter((control) => control.value).map((control) => [control.name, control.value.trim()]);

  /** A value that the address names and the page does not know, as a former member's, becomes a choice. */
  function read() {
    const asked = new URLSearchParams(location.search);
    for (const control of controls) {
      const value = asked.get(control.name) ?? "";
      if (control.tagName === "SELECT" && value && ![...control.options].some((option) => option.value === value)) control.append(h("option", { value }, value));
      control.value = value;
    }
    link();
  }

  function link() {
    for (const each of document.querySelectorAll("#export [data-format]")) {
      const whole = each.dataset.format === "whole";
      each.href = `/api/audit?${new URLSearchParams([...(whole ? [] : query()), ["format", whole ? "jsonl" : each.dataset.format]])}`;
    }
  }

  function changed() {
    clearTimeout(waiting);
    const text = new URLSearchParams(query()).toString();
    history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
    link();
    onChange();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("change", changed);
  $("#q").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, PAUSE_MS);
  });
  for (const each of document.querySelectorAll("#export [data-format]")) each.addEventListener("click", () => each.closest("details").removeAttribute("open"));
  read();
  return {
    query,
    read,
    clear() {
      for (const control of controls) control.value = "";
      changed();
      $("#q").focus();
    },
  };
}
