// Questions in the page's one native dialog: focus is trapped and given back, Escape means no.

import { $ } from "./dom.js";

document.addEventListener("click", (event) => event.target.closest("dialog [data-close]")?.closest("dialog").close());

/** `more` is a promise of words that come before `text` as soon as they are known. */
function open({ title, text, yes, danger = false, field = null, more = null }) {
  const dialog = $("#dialog");
  const menu = document.activeElement?.closest("details.menu"); // it closes, so the browser cannot give the focus back to its button
  const input = $("#dialog-input");
  $("#dialog-title").textContent = title;
  $("#dialog-text").textContent = text;
  $("#dialog-text").hidden = !text;
  $("#dialog-yes").textContent = yes;
  $("#dialog-yes").className = danger ? "danger primary" : "primary";
  $("#dialog-field").hidden = !field;
  input.disabled = !field;
  if (field) {
    $("#dialog-field label").textContent = field.label;
    input.type = field.type ?? "text";
    input.required = true;
    input.maxLength = field.maxLength ?? 5000;
    input.value = field.value ?? "";
  }
  more?.then((words) => {
    if (words && dialog.open && $("#dialog-title").textContent === title) $("#dialog-text").textContent = `${words} ${text}`;
  });
  dialog.returnValue = "";
  dialog.showModal();
  if (field) input.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const value = dialog.returnValue === "yes" ? (field ? input.value.trim() : true) : null;
      input.value = "";
      menu?.querySelector("summary").focus();
      resolve(value || null);
    }, { once: true });
  });
}

/** True, or null when the person thought better of it. */
export const confirmed = (question) => open({ danger: true, ...question });

/** The text typed, or null. */
export const asked = (question) => open(question);
