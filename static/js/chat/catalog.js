// What the caller may use: provider kinds, configs, models and services, loaded once and looked up by everyone on the page.

import { all } from "../api.js";
import { toastError } from "../toast.js";

const known = { providers: new Map(), configs: new Map(), models: [], services: [] };
const toolLists = new Map();

const LISTS = { providers: "providers", configs: "user/llm-config", models: "models", services: "user/services" };

/** The chat still works when a list cannot be read; the person is told what is missing. */
function optional(name, path) {
  return all(path).catch((error) => {
    toastError(`The ${name} could not be read. Reload the page to try again.`, error);
    return [];
  });
}

export async function loadCatalog() {
  const [providers, configs, models, services] = await Promise.all(Object.entries(LISTS).map(([name, path]) => optional(name, path)));
  known.providers = new Map(providers.map((kind) => [kind.slug, kind]));
  known.configs = new Map(configs.map((config) => [config.id, config]));
  known.models = models;
  known.services = services;
}

export const models = () => known.models;
export const configs = () => [...known.configs.values()];
export const enabledServices = () => known.services.filter((service) => service.is_enabled !== false);

export const providerLabel = (slug) => known.providers.get(slug)?.label ?? slug ?? "a provider";
export const isDemoProvider = (slug) => known.providers.get(slug)?.is_demo ?? slug === "demo";
export const isDemoService = (service) => service?.is_demo ?? /(^|-)demo(-|$)/.test(service?.slug ?? "");
export const serviceBySlug = (slug) => known.services.find((service) => service.slug === slug) ?? null;

export const configOf = (modelId) => known.configs.get(modelId.slice(0, modelId.indexOf("/"))) ?? null;

/** The model row of `<config id>/<model>`; one the list does not hold (typed by hand) is made up from its id. */
export function modelOf(modelId) {
  const found = known.models.find((model) => model.id === modelId);
  if (found) return found;
  const name = modelId.slice(modelId.indexOf("/") + 1);
  return { id: modelId, model: name, label: name, provider: configOf(modelId)?.provider_type ?? "", price: null };
}

/** The model a config stands for: the one it names, else the first that its provider listed; null before any test. */
function modelOfConfig({ id, model }) {
  return model ? modelOf(`${id}/${model}`) : (known.models.find((row) => row.id.startsWith(`${id}/`)) ?? null);
}

const RANK = [(config) => !config.is_default, (config) => config.shared, (config) => isDemoProvider(config.provider_type), (config) => -config.priority];
const byRank = (a, b) => RANK.map((rank) => rank(a) - rank(b)).find((difference) => difference) ?? 0;

/** What a conversation without target uses, by the server's rule: the default config, else the first with a model; own before shared, demo last. */
export function defaultModel() {
  const usable = configs().filter((config) => config.is_enabled !== false && modelOfConfig(config));
  return usable.length ? modelOfConfig(usable.sort(byRank)[0]) : null;
}

/** The tool rows of a service, or [] when they cannot be read. */
export function toolsOf(service) {
  if (!service) return Promise.resolve([]);
  if (!toolLists.has(service.id)) toolLists.set(service.id, all(`user/services/${service.id}/tools`).catch(() => []));
  return toolLists.get(service.id);
}

/** `service__tool` and bare names alike, split for showing. */
export function toolName({ name, service }) {
  const prefix = service ? `${service}__` : "";
  if (prefix && name.startsWith(prefix)) return { service, tool: name.slice(prefix.length) };
  const cut = service ? -1 : name.indexOf("__");
  return cut > 0 ? { service: name.slice(0, cut), tool: name.slice(cut + 2) } : { service, tool: name };
}
