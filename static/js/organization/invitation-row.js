// An invitation: whom it is for, how it stands, and renewing or revoking it.

import { badge, button, h, icon, moreMenu } from "../dom.js";
import { ago } from "../format.js";
import { ROLES } from "./roles.js";

const STATES = { pending: ["Open", "accent"], accepted: ["Accepted", "ok"], expired: ["Expired", "warn"] };
const dateFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long" });

function meta(invitation) {
  const role = ROLES[invitation.role].label;
  if (invitation.status === "accepted") return [role, `accepted ${ago(invitation.accepted_at)}${invitation.accepted_by ? ` by ${invitation.accepted_by}` : ""}`];
  const end = dateFormat.format(new Date(invitation.expires_at));
  return [role, invitation.invited_by && `invited by ${invitation.invited_by}`, invitation.status === "pending" ? `open until ${end}` : `ended on ${end}`].filter(Boolean);
}

export function invitationRow(invitation, { manageable, renew, revoke }) {
  const name = invitation.email || "Anyone with the link";
  const may = invitation.status !== "accepted" && manageable.includes(invitation.role);
  const [words, kind] = STATES[invitation.status];
  const entries = [
    button("New link", { on: { click: () => renew(invitation) } }, "rotate-cw"),
    h("hr"),
    button("Revoke", { class: "danger", on: { click: () => revoke(invitation) } }, "trash-2"),
  ];
  return h(
    "li",
    { class: "member", id: `invitation-${invitation.id}` },
    h("span", { class: "avatar", "aria-hidden": "true" }, icon("mail")),
    h("div", {}, h("div", { class: "title" }, name), h("div", { class: "meta" }, meta(invitation).map((text) => h("span", {}, text)))),
    h("div", { class: "role" }, badge(words, kind)),
    h("div", { class: "more" }, may ? moreMenu(`More for the invitation of ${name}`, entries) : h("span", { class: "no-menu" })),
  );
}
