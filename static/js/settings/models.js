// The models of every config: what each reads, takes and costs, when the list was fetched, and fetching it again.

import { post } from "../api.js";
import { badge, busy, button, h, icon, note } from "../dom.js";
import { ago, price, tokens } from "../format.js";
import { toastError, toastOk } from "../toast.js";
import { demoBadge, mediaWords, providerMark } from "../words.js";
import { mayHaveOwn } from "./rights.js";

const FILTER_FROM = 12;

const counted = (number) => `${number} ${number === 1 ? "model" : "models"}`;

function nameCell(model, config) {
  const marks = [
    model.custom && badge("Set by an admin", "accent"),
    model.model === config.model && badge("Chosen"),
    model.hint && h("span", { class: "tiny" }, icon("triangle-alert", "warn"), ` ${model.hint}`),
  ].filter(Boolean);
  return h(
    "th",
    { scope: "row" },
    h("span", { class: "mono" }, model.model),
    model.label !== model.model && h("div", { class: "tiny muted" }, model.label),
    marks.length > 0 && h("div", { class: "row wrap" }, marks),
  );
}

function sizeCell(model) {
  const answer = model.max_output_tokens && h("div", { class: "tiny muted" }, `answers up to ${tokens(model.max_output_tokens)}`);
  return h("td", { dataset: { label: "Reads" } }, h("span", { class: model.context_window ? "num" : "muted" }, tokens(model.context_window)), answer);
}

function priceCell({ price: known }) {
  if (!known) return h("td", { dataset: { label: "Price" } }, h("span", { class: "muted" }, "unknown"));
  const cached = [
    known.cache_read_per_mtok != null && `${price(known.cache_read_per_mtok, known.currency)} read`,
    known.cache_write_per_mtok != null && `${price(known.cache_write_per_mtok, known.currency)} written`,
    known.cache_write_1h_per_mtok != null && `${price(known.cache_write_1h_per_mtok, known.currency)} written for an hour`,
  ].filter(Boolean);
  return h(
    "td",
    { dataset: { label: "Price" } },
    h("span", { class: "num" }, `${price(known.input_per_mtok, known.currency)} in · ${price(known.output_per_mtok, known.currency)} out`),
    cached.length > 0 && h("div", { class: "tiny muted" }, `cached: ${cached.join(", ")}`),
  );
}

function takesCell({ capabilities }) {
  const inputs = mediaWords(capabilities);
  const skills = [capabilities.tools && "tools", capabilities.thinking && "thinking", capabilities.structured_output && "structured output"].filter(Boolean);
  return h("td", { dataset: { label: "Takes" } }, ["text", ...inputs].join(", "), skills.length > 0 && h("div", { class: "tiny muted" }, skills.join(", ")));
}

/** Where a list comes from, and when. */
function origin(at, isDemo, namedUnder) {
  if (isDemo) return "Built in.";
  if (namedUnder) return `As named under ${namedUnder}; the provider lists none.`;
  return at ? `Listed by the provider ${ago(at)}.` : "Not fetched yet.";
}

/** One config's card. `actions`: refreshed() and, for admins, edit(config, model). The disclosure stays as the reader left it. */
function listView(actions) {
  let config = null;
  let models = [];
  const mark = h("span", {});
  const title = h("span", { class: "grow" });
  const sum = h("span", { class: "small muted" });
  const fetched = h("span", { class: "small muted" });
  const status = h("div", { role: "status" });
  const refresh = button("Fetch again", { class: "small", on: { click: (event) => busy(event.currentTarget, fetchAgain) } }, "refresh-cw");
  const add = actions.edit && button("Add a model", { class: "small", on: { click: () => actions.edit(config, null) } }, "plus");
  const filter = h("input", { type: "search", placeholder: "Find a model", autocomplete: "off", on: { input: narrow } });
  const search = h("div", { class: "search" }, icon("search"), filter);
  const body = h("tbody", {});
  const columns = ["Model", "Reads", "Price", "Takes"].map((text) => h("th", { scope: "col" }, text));
  const head = h("thead", {}, h("tr", {}, columns, actions.edit && h("th", {}, h("span", { class: "sr" }, "Change"))));
  const table = h("table", { class: "fold" }, head, body);
  const content = h("div", {}, h("div", { class: "card-body stack" }, h("div", { class: "row wrap" }, fetched, h("span", { class: "push" }), add, refresh), status, search), table);
  const node = h("details", { class: "card models" }, h("summary", { class: "row" }, icon("chevron-right", "chevron"), mark, title, sum), content);
  node.addEventListener("toggle", () => node.open && fill());

  async function fetchAgain() {
    try {
      const answer = await post(`user/llm-config/${config.id}/models/refresh`);
      status.replaceChildren(answer.ok ? "" : note("bad", "circle-alert", h("b", {}, "The list could not be fetched."), ` ${answer.error.detail}`));
      if (answer.ok) toastOk(`${config.name}: ${counted(answer.models)} listed`);
      await actions.refreshed();
    } catch (error) {
      toastError(`The models of ${config.name} could not be fetched`, error);
    }
  }

  function narrow() {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of body.rows) row.hidden = !row.dataset.search.includes(wanted);
  }

  function row(model) {
    const change = actions.edit && button(model.custom ? "Change" : "Set price", { class: "small quiet", "aria-label": model.custom ? `Change ${model.model}` : `Set price of ${model.model}`, dataset: { model: model.model }, on: { click: () => actions.edit(config, model) } });
    const search = `${model.model} ${model.label}`.toLowerCase();
    return h("tr", { dataset: { search } }, nameCell(model, config), sizeCell(model), priceCell(model), takesCell(model), change && h("td", { class: "line" }, change));
  }

  /** Rows are built anew, so the focus is put back on the same model's button. */
  function fill() {
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.model : undefined;
    body.replaceChildren(...models.map(row));
    table.hidden = models.length === 0;
    search.hidden = models.length < FILTER_FROM;
    narrow();
    if (focused !== undefined) body.querySelector(`[data-model="${CSS.escape(focused)}"]`)?.focus();
  }

  return {
    node,
    show(next, rows, isDemo, namedUnder) {
      [config, models] = [next, rows];
      const at = rows.find((model) => model.fetched_at)?.fetched_at;
      mark.replaceChildren(providerMark(next.provider_type, true));
      title.replaceChildren(next.name, ...(isDemo ? [" ", demoBadge()] : []));
      sum.textContent = counted(rows.length);
      fetched.textContent = origin(at, isDemo, namedUnder);
      filter.setAttribute("aria-label", `Find a model of ${next.name}`);
      refresh.setAttribute("aria-label", `Fetch again the models of ${next.name}`);
      refresh.hidden = isDemo || !mayHaveOwn;
      add?.setAttribute("aria-label", `Add a model to ${next.name}`);
      if (node.open) fill();
    },
  };
}

/** The section. `show` takes the enabled configs and all rows of /api/models. */
export function createModelLists(section, { isDemo, namedUnder, ...actions }) {
  const place = section.querySelector("#model-lists");
  const views = new Map();

  return {
    show(configs, models) {
      const kept = configs.filter((config) => config.is_enabled);
      for (const [id, view] of views) {
        if (!kept.some((config) => config.id === id)) {
          view.node.remove();
          views.delete(id);
        }
      }
      for (const config of kept) {
        if (!views.has(config.id)) views.set(config.id, listView(actions));
        const view = views.get(config.id);
        view.show(config, models.filter((model) => model.config === config.id), isDemo(config), namedUnder(config));
        if (view.node.parentNode !== place) place.append(view.node);
      }
      section.hidden = kept.length === 0;
    },
  };
}
