// The five roles, from the most to the least, in words.

export const ROLES = {
  owner: { label: "Owner", does: "Everything, owners and admins and the end of the organization included." },
  admin: { label: "Admin", does: "What all share, the policy, budgets, and people below admins." },
  member: { label: "Member", does: "Own conversations, keys, services and tokens." },
  auditor: { label: "Auditor", does: "Usage of all and the audit trail; no conversations." },
  viewer: { label: "Viewer", does: "Sees what is shared; runs nothing." },
};

/** Options of a select, in the order above. */
export const rolesAmong = (allowed) => Object.keys(ROLES).filter((role) => allowed.includes(role));
