// A member: who, since when, as what, and what may be done about it.

import { badge, button, h, moreMenu } from "../dom.js";
import { ago } from "../format.js";
import { ROLES, rolesAmong } from "./roles.js";

/** manageable: roles that the reader may give and take. self: the reader's user id. change(member, role, select), expel(member). */
export function memberRow(member, { manageable, self, change, expel }) {
  const { user, role } = member;
  const name = user.name || user.username;
  const isSelf = user.id === self;
  const may = manageable.includes(role);
  const meta = [user.name && user.username, user.email, `joined ${ago(member.joined_at)}`, user.last_login && `signed in ${ago(user.last_login)}`].filter(Boolean);
  return h(
    "li",
    { class: "member", id: `member-${member.id}` },
    h("span", { class: "avatar", "aria-hidden": "true" }, name.slice(0, 2).toUpperCase()),
    h("div", {}, h("div", { class: "title" }, name, isSelf && badge("You", "accent")), h("div", { class: "meta" }, meta.map((text) => h("span", {}, text)))),
    h("div", { class: "role" }, may ? roleSelect() : badge(ROLES[role].label)),
    h("div", { class: "more" }, may && !isSelf ? moreMenu(`More for ${name}`, [button("Remove", { class: "danger", on: { click: () => expel(member) } }, "trash-2")]) : h("span", { class: "no-menu" })),
  );

  function roleSelect() {
    const options = rolesAmong(manageable).map((each) => h("option", { value: each, selected: each === role }, ROLES[each].label));
    const select = h("select", { "aria-label": `Role of ${name}`, title: ROLES[role].does }, options);
    select.addEventListener("change", () => change(member, select.value, select));
    return select;
  }
}
