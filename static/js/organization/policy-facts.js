// The policy as everybody else reads it.

import { h } from "../dom.js";

const among = (list) => (list === null ? "any" : list.length ? list.join(", ") : "none");
const days = (number, otherwise) => (number === null ? otherwise : `${number} ${number === 1 ? "day" : "days"}`);

export function showPolicy(list, row) {
  const facts = {
    Providers: among(row.allowed_providers),
    Models: among(row.allowed_models),
    Hosts: among(row.allowed_hosts),
    "Own keys": row.members_may_bring_keys ? "members may use theirs" : "admins only",
    "Second factor": row.requires_mfa ? "required" : "up to you",
    "Conversations kept": days(row.retention_days, "for good"),
    "Tokens live": days(row.token_max_days, "as long as you choose"),
  };
  list.replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
