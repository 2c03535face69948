// The API's field errors, shown at their fields: `[data-field="<attr>"]` holds the control.

import { h, icon } from "../dom.js";

let counter = 0;

/** The field of `attr`, or of the nearest object that holds it. */
function fieldOf(form, attr) {
  for (let name = attr; name; name = name.slice(0, Math.max(name.lastIndexOf("."), 0))) {
    const field = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
    if (field) return field;
  }
  return null;
}

const controlIn = (field) => field.querySelector("input:not([hidden]), select, textarea, button");

function describe(control, id, on) {
  const ids = new Set((control.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (on) ids.add(id);
  else ids.delete(id);
  if (ids.size) control.setAttribute("aria-describedby", [...ids].join(" "));
  else control.removeAttribute("aria-describedby");
}

export function clearErrors(form) {
  for (const message of form.querySelectorAll(".field > .error")) {
    const control = form.querySelector(`[aria-describedby~="${message.id}"]`);
    if (control) {
      describe(control, message.id, false);
      control.removeAttribute("aria-invalid");
    }
    message.remove();
  }
}

/** Shows each error at its field and puts the focus on the first; what belongs to no field is returned as one text. */
export function showErrors(form, error) {
  clearErrors(form);
  const rest = [];
  let first = null;
  for (const { attr, detail } of error.errors) {
    const field = attr && fieldOf(form, attr);
    const control = field && !field.hidden && controlIn(field);
    if (!control) {
      rest.push(attr ? `${attr}: ${detail}` : detail);
      continue;
    }
    const id = `error-${(counter += 1)}`;
    control.setAttribute("aria-invalid", "true");
    describe(control, id, true);
    field.append(h("p", { class: "error", id, role: "alert" }, icon("circle-alert"), ` ${detail}`));
    for (let around = field.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
    first ??= control;
  }
  first?.focus();
  return rest.join(" ");
}
