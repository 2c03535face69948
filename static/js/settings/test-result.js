// What a connection test came to, in words: what happened, then what to do next.

import { h, note } from "../dom.js";
import { host } from "../format.js";

const TITLES = {
  authentication_failed: "The key was refused.",
  permission_denied: "The key may not do this.",
  model_not_found: "Model not found.",
  invalid_request: "The request was refused.",
  quota_exhausted: "No credit or quota left.",
  rate_limited: "Too many requests.",
  overloaded: "The provider is overloaded.",
  provider_timeout: "No answer in time.",
  timeout: "No answer in time.",
  provider_unavailable: "It cannot be reached.",
  missing_key: "The key is missing.",
  unreadable: "The stored key cannot be read.",
};

const REFUSALS = new Set(["authentication_failed", "permission_denied", "quota_exhausted", "model_not_found"]);

/** Whether a provider was asked about a new key and refused it: then it may be saved all the same. */
export const isRefusedKey = (error) => ["api_key", "credentials"].includes(error.errors?.[0]?.attr) && REFUSALS.has(error.code);

const models = (count) => (count === 1 ? "1 model found" : `${count} models found`);

export const asking = (label, baseUrl) => note("", "loader-circle", `Asking ${baseUrl ? host(baseUrl) : label}…`);

/** The title of the field that names what a provider would otherwise list (Azure's deployments); undefined where it lists its models itself. */
export const namedUnder = (kind) => Object.values(kind?.credential_schema?.properties ?? {}).find((property) => property.propertyNames)?.title;

/** `extra` is one more sentence, such as that the stored settings were tested. */
export function resultNote(kind, result, extra = "") {
  const label = kind.label;
  if (result.ok) {
    const found = result.models?.length && !namedUnder(kind) ? `; ${models(result.models.length)}` : "";
    return note("ok", "circle-check", h("b", {}, "It works."), ` ${label} answered in ${result.latency_ms} ms${found}. ${extra}`);
  }
  const { kind: cause, detail } = result.error;
  return note("bad", "circle-alert", h("b", {}, TITLES[cause] ?? "It did not work."), ` ${detail} ${extra}`);
}
