// The list of providers to choose from, by who runs the models.

import { h } from "../dom.js";

const GROUPS = [
  ["vendor", "Model vendors"],
  ["gateway", "Clouds and gateways"],
  ["self_hosted", "Your own servers"],
];

export function fillProviders(select, providers) {
  const options = (chosen) => chosen.map((provider) => h("option", { value: provider.slug }, provider.is_demo ? `${provider.label} (demo)` : provider.label));
  const groups = GROUPS.map(([kind, label]) => [label, providers.filter((provider) => provider.kind === kind && !provider.is_demo)]);
  const shown = groups.filter(([, chosen]) => chosen.length).map(([label, chosen]) => h("optgroup", { label }, options(chosen)));
  select.replaceChildren(...shown, ...options(providers.filter((provider) => provider.is_demo)));
}
