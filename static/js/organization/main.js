// The organization page: members, invitations, policy, and leaving.

import { all, get, patch, post, remove, request } from "../api.js";
import { asked, confirmed } from "../dialog.js";
import { $, busy, h, note, ready } from "../dom.js";
import "../menus.js";
import { toastError, toastOk } from "../toast.js";
import { invitationRow } from "./invitation-row.js";
import { createInviteDialog } from "./invite-dialog.js";
import { memberRow } from "./member-row.js";
import { createPolicyForm } from "./policy-form.js";
import { showPolicy } from "./policy-facts.js";
import { ROLES } from "./roles.js";

const MEMBERS = "organization/members";
const INVITATIONS = "organization/invitations";
const self = $("#organization").dataset.user;

let organization = null;
let members = [];
let invitations = [];

const nameOf = (member) => member.user.name || member.user.username;
const isSelf = (member) => member.user.id === self;
const own = () => members.find(isSelf);
const dialog = $("#invite-dialog") && createInviteDialog({ onMade: () => reloadInvitations() });

/** Puts rows in place of what the section shows. They are built anew, so the focus goes back to the same control of the same row. */
function put(section, rows, nothing) {
  const before = section.querySelector(":scope > ul, :scope > p, :scope > .note");
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  const [row, label] = [focused?.closest("li")?.id, focused?.getAttribute("aria-label")];
  before.replaceWith(rows.length ? h("ul", { class: "card rows" }, rows) : h("p", { class: "card card-body soft" }, nothing));
  if (!focused) return;
  const again = row && document.getElementById(row)?.querySelector(label ? `[aria-label="${CSS.escape(label)}"]` : "summary, select");
  (again ?? section.querySelector("h2")).focus();
}

function showMembers() {
  const context = { manageable: organization.manageable, self, change: changeRole, expel };
  put($("#members"), members.map((member) => memberRow(member, context)), "Nobody.");
  $("#members-sum").textContent = `${members.length} ${members.length === 1 ? "person" : "people"}`;
}

function showInvitations() {
  const context = { manageable: organization.manageable, renew, revoke };
  put($("#invitations"), invitations.map((each) => invitationRow(each, context)), "No invitation is open. Make a link, and hand it to whoever shall join.");
}

async function reloadInvitations() {
  if (!dialog) return;
  invitations = await all(INVITATIONS);
  showInvitations();
}

async function reload() {
  [organization, members] = await Promise.all([get("organization"), all(MEMBERS)]);
  showMembers();
  await reloadInvitations();
}

async function changeRole(member, role, select) {
  const question = {
    title: "Give up your own role?",
    text: `You will be ${ROLES[role].label.toLowerCase()} of ${organization.name}. Only somebody else can give you this role again.`,
    yes: "Change my role",
  };
  if (isSelf(member) && !(await confirmed(question))) {
    select.value = member.role;
    return;
  }
  try {
    await patch(`${MEMBERS}/${member.id}`, { role });
    toastOk(`${nameOf(member)} is ${ROLES[role].label.toLowerCase()} now`);
    if (isSelf(member)) location.reload();
    else await reload();
  } catch (error) {
    select.value = member.role;
    toastError(`${nameOf(member)}’s role was not changed`, error);
  }
}

async function expel(member) {
  const text = "They lose access at once: their runs stop, their tokens end, and the keys and services they alone used here are destroyed. What they shared stays.";
  if (!(await confirmed({ title: `Remove ${nameOf(member)}?`, text, yes: "Remove" }))) return;
  try {
    await remove(`${MEMBERS}/${member.id}`);
    toastOk(`${nameOf(member)} was removed`);
    await reload();
  } catch (error) {
    toastError(`${nameOf(member)} was not removed`, error);
  }
}

async function renew(invitation) {
  try {
    const made = await post(`${INVITATIONS}/${invitation.id}/renew`, {});
    await reloadInvitations().catch(() => {}); // the new link is shown in any case
    dialog.show(made);
  } catch (error) {
    toastError("The link was not renewed", error);
  }
}

async function revoke(invitation) {
  if (!(await confirmed({ title: "Revoke this invitation?", text: "Its link stops working at once.", yes: "Revoke" }))) return;
  try {
    await remove(`${INVITATIONS}/${invitation.id}`);
    toastOk("Invitation revoked");
    await reloadInvitations();
  } catch (error) {
    toastError("It was not revoked", error);
  }
}

$("#leave").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const text = "Your keys and services here are destroyed, your tokens end and your runs stop. You come back by a new invitation only.";
  if (!(await confirmed({ title: `Leave ${organization.name}?`, text, yes: "Leave" }))) return;
  await busy(button, async () => {
    try {
      await remove(`${MEMBERS}/${own().id}`);
      location.assign("/");
    } catch (error) {
      toastError("You did not leave", error);
    }
  });
});

$("#delete")?.addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const { slug } = button.dataset;
  const text = `This cannot be undone. Write ${slug} to confirm.`;
  const confirm = await asked({ title: `Delete ${organization.name}?`, text, yes: "Delete for good", danger: true, field: { label: "Organization", maxLength: 80 } });
  if (!confirm) return;
  await busy(button, async () => {
    try {
      await request("DELETE", "organization", { confirm });
      location.assign("/");
    } catch (error) {
      toastError("It was not deleted", error);
    }
  });
});

$("#invite")?.addEventListener("click", () => dialog.open(organization));

try {
  await reload();
  if ($("#policy")) await createPolicyForm(organization);
  else showPolicy($("#policy-facts"), organization);
  ready($("#main"));
} catch (error) {
  for (const list of document.querySelectorAll("#members > ul, #invitations > ul")) list.replaceWith(note("bad", "circle-alert", `It could not be read. ${error.message}`));
}
