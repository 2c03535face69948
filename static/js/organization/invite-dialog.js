// The dialog that invites: first whom and as what, then the link, which is shown this once.

import { ApiError, newKey, post } from "../api.js";
import { copyText } from "../copy.js";
import { $, busy, h, note } from "../dom.js";
import { clearErrors, showErrors } from "../settings/field-errors.js";
import { toastOk } from "../toast.js";
import { ROLES, rolesAmong } from "./roles.js";

export function createInviteDialog({ onMade }) {
  const dialog = $("#invite-dialog");
  const form = $("#invite-form");
  const role = $("#irole");
  const link = $("#ilink");
  let key = newKey();

  const tell = () => {
    $("#irole-hint").textContent = ROLES[role.value]?.does ?? "";
  };

  function stage(isMade) {
    $("#invite-fields").hidden = isMade;
    $("#invite-made").hidden = !isMade;
    $("#invite-save").hidden = isMade;
    $("#invite-close").textContent = isMade ? "Done" : "Cancel";
    $("#invite-status").replaceChildren();
  }

  function show(made) {
    stage(true);
    const whom = made.email || "Whoever opens it first";
    const sent = made.emailed ? ` It is on its way to ${made.email}, too.` : " Hand it over yourself: it was not sent.";
    $("#invite-told").textContent = `${whom} joins as ${ROLES[made.role].label.toLowerCase()}.${sent}`;
    link.value = made.link;
    if (!dialog.open) dialog.showModal();
    link.select();
  }

  async function save() {
    clearErrors(form);
    const days = $("#idays").value.trim();
    const body = { role: role.value, email: $("#iemail").value.trim(), ...(days && { expires_in_days: /^\d+$/.test(days) ? Number(days) : days }) };
    try {
      show(await post("organization/members", body, { idempotencyKey: key }));
      await onMade();
    } catch (error) {
      const rest = error instanceof ApiError ? showErrors(form, error) : String(error);
      $("#invite-status").replaceChildren(...(rest ? [note("bad", "circle-alert", rest)] : []));
    }
    key = newKey();
  }

  role.addEventListener("change", tell);
  $("#icopy").addEventListener("click", async () => {
    await copyText(link.value);
    toastOk("Link copied");
  });
  dialog.addEventListener("close", () => {
    link.value = "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("#invite-save"), save);
  });

  return {
    show,
    open(organization) {
      form.reset();
      clearErrors(form);
      stage(false);
      role.replaceChildren(...rolesAmong(organization.manageable).map((each) => h("option", { value: each, selected: each === "member" }, ROLES[each].label)));
      $("#iemail-hint").textContent = organization.can_mail
        ? "The link is sent there. Left empty, it is for whoever opens it first."
        : "For your own overview: this installation sends no mail. Left empty, the link is for whoever opens it first.";
      tell();
      dialog.showModal();
      $("#iemail").focus();
    },
  };
}
