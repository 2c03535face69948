// Choosing the model of the conversation: all that the caller may use, by config, with prices where they are known.

import { $, h, icon } from "../dom.js";
import { price, tokens } from "../format.js";
import { demoBadge, mediaWords, providerMark } from "../words.js";
import { configOf, defaultModel, isDemoProvider, modelOf, models, providerLabel } from "./catalog.js";

const FILTER_FROM = 12;

function priceText({ provider, price: known }) {
  if (isDemoProvider(provider)) return "free, rule-based";
  if (known?.input_per_mtok == null || known?.output_per_mtok == null) return "price unknown";
  return `${price(known.input_per_mtok, known.currency)} · ${price(known.output_per_mtok, known.currency)}`;
}

/** What the list says of a model beyond its name and price. */
function factsOf({ label, model, context_window: reads, capabilities, hint }) {
  const takes = mediaWords(capabilities);
  return [label || model, reads && `reads ${tokens(reads)} tokens`, takes.length && `takes ${takes.join(", ")}`, hint].filter(Boolean).join(" · ");
}

/** The name that the vendor's documentation and the answers carry; the demo provider says that it is one. */
export function nameOf(model) {
  if (!model) return "No model yet";
  return isDemoProvider(model.provider) ? "Demo provider" : model.model;
}

/** Models by config, in the order of the list; the chosen one is added when the list does not hold it. */
function groups(chosen) {
  const rows = chosen && !models().some((model) => model.id === chosen.id) ? [chosen, ...models()] : models();
  const byConfig = new Map();
  for (const model of rows) {
    const config = configOf(model.id);
    const key = config?.id ?? model.provider;
    if (!byConfig.has(key)) byConfig.set(key, { title: config?.name ?? model.config_name ?? providerLabel(model.provider), rows: [] });
    byConfig.get(key).rows.push(model);
  }
  return [...byConfig.values()];
}

export function createModelMenu({ onChoose, providersUrl }) {
  const menu = $("#model-menu");
  const popup = $(".popup", menu);
  let listed = null;

  function option(model, chosen) {
    const input = h("input", { type: "radio", name: "target", value: model.id, checked: model.id === chosen?.id });
    input.addEventListener("change", () => onChoose(model.id));
    const close = (event) => event.detail && setTimeout(() => (menu.open = false)); // a pointer has chosen; arrow keys may go on
    return h(
      "label",
      { class: "option", on: { click: close }, dataset: { search: `${model.model} ${model.label}`.toLowerCase() } },
      input,
      providerMark(model.provider, true),
      h("span", { title: factsOf(model) }, nameOf(model)),
      model.hint && h("span", { class: "tiny", title: model.hint }, icon("triangle-alert", "warn"), h("span", { class: "sr" }, model.hint)),
      isDemoProvider(model.provider) && demoBadge(),
      h("span", { class: "tiny muted num" }, priceText(model)),
    );
  }

  function filterField() {
    const input = h("input", { type: "search", placeholder: "Find a model", "aria-label": "Find a model", autocomplete: "off" });
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const row of popup.querySelectorAll(".option")) row.hidden = !row.dataset.search.includes(wanted);
      for (const group of popup.querySelectorAll("[data-group]")) group.hidden = !group.querySelector(".option:not([hidden])");
    });
    return h("div", { class: "search" }, icon("search"), input);
  }

  function show(target) {
    const chosen = target?.model ? modelOf(target.model) : defaultModel();
    $("#model-mark").replaceChildren(chosen ? providerMark(chosen.provider, true) : icon("key-round"));
    $("#model-name").replaceChildren(nameOf(chosen));
    const list = models().map((model) => model.id).join("\n");
    if (list === listed && menu.open && popup.contains(document.activeElement)) return; // somebody is choosing: what they see already says it
    listed = list;
    const sections = groups(chosen).map(({ title, rows }) =>
      h("div", { dataset: { group: "" }, role: "group", "aria-label": title }, h("p", { class: "cap" }, title), rows.map((model) => option(model, chosen))),
    );
    const caption = h("p", { class: "cap" }, "Models ", h("span", { class: "muted" }, "· input and output per million tokens"));
    const add = h("a", { href: `${providersUrl}#add` }, icon("plus"), " Add a provider");
    const count = sections.length ? models().length : 0;
    const choosing = popup.contains(document.activeElement);
    popup.replaceChildren(...[count > FILTER_FROM && filterField(), caption, ...sections, count > 0 && h("hr"), add].filter(Boolean));
    if (choosing) focusChosen();
  }

  function focusChosen() {
    (popup.querySelector("input:checked") ?? popup.querySelector("input, a"))?.focus();
  }

  // Opening puts the focus on the chosen model; arrows move, Escape closes (menus.js).
  menu.addEventListener("toggle", () => {
    if (menu.open) focusChosen();
    else if (popup.contains(document.activeElement) || document.activeElement === document.body) $("summary", menu).focus();
  });

  return {
    show,
    open() {
      menu.open = true;
    },
  };
}
