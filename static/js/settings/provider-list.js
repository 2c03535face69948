// The configs as rows: what each is, how it stands, and what can be done with it.

import { badge, busy, button, h, icon, moreMenu, note } from "../dom.js";
import { ago, host } from "../format.js";
import { demoBadge, providerMark, statusLine } from "../words.js";
import { mayChange, mayHaveOwn } from "./rights.js";
import { isRefusedKey } from "./test-result.js";

const WANTS_KEY = ["invalid", "missing_key", "unreadable"];
const ADVICE = {
  invalid: "The provider refused this key. Put a working one in its place; runs in flight finish on the old one.",
  missing_key: "There is no key, because the address moved to another host. Enter the key for the new one.",
  unreadable: "The stored key cannot be read with this server’s encryption keys. Enter it again.",
  quota_exhausted: "The provider has no credit or quota left for this key. Add some there, then test again.",
};

/** Whether an API key is all that this provider may ask for; what else there is has its place in the form. */
const asksKeyAlone = (kind) => Object.entries(kind?.credential_schema?.properties ?? {}).every(([name, { writeOnly }]) => name === "api_key" || !writeOnly);

const wantsKey = (config) => config.is_enabled && WANTS_KEY.includes(config.status);

/** `rotate` answers with the error for which the new key was not saved, or with nothing; one that its provider refused can be saved all the same. */
function rotateForm(config, rotate) {
  const id = `rotate-${config.id}`;
  const input = h("input", { id, type: "password", autocomplete: "off", spellcheck: "false", placeholder: "New API key", required: true });
  const submit = h("button", { type: "submit" }, icon("rotate-cw"), " Rotate");
  const anyway = button("Save all the same", { class: "small", hidden: true, on: { click: () => busy(anyway, () => send(true)) } });
  const problem = h("div", { role: "alert", class: "small", id: `${id}-problem` });
  const join = h("div", { class: "join row" }, h("label", { class: "sr", for: id }, "New API key"), input, submit);
  const form = h("form", { class: "stack tight", "aria-label": `Rotate the key of ${config.name}` }, join, problem, h("div", { class: "row" }, anyway));
  async function send(unchecked) {
    if (!input.value) return;
    const refusal = await rotate(config, input.value, unchecked);
    problem.textContent = refusal?.message ?? "";
    anyway.hidden = !refusal || !isRefusedKey(refusal);
    input.toggleAttribute("aria-invalid", Boolean(refusal));
    if (refusal) {
      input.setAttribute("aria-describedby", problem.id);
      input.focus();
    }
  }
  input.addEventListener("input", () => (anyway.hidden = true)); // another key is tried first again
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(submit, () => send(false));
  });
  return form;
}

/** What is left of a rotation for a while: the old key, which can take over again. */
function replacedKey(config, actions) {
  const [newest] = config.retired_keys ?? [];
  if (!newest) return null;
  const name = newest.hint ? h("span", { class: "mono" }, newest.hint) : "before it";
  const which = config.retired_keys.length > 1 ? [`${config.retired_keys.length} replaced keys, the last `, name, ","] : ["The replaced key ", name];
  return note(
    "",
    "key-round",
    ...which,
    ` ${config.retired_keys.length > 1 ? "are" : "is"} kept sealed, and destroyed ${until(newest.shred_at)}. `,
    h(
      "div",
      { class: "row" },
      button("Undo", { class: "small", "aria-label": `Bring the replaced key of ${config.name} back`, on: { click: (event) => busy(event.currentTarget, () => actions.restore(config)) } }, "rotate-cw"),
      button("Destroy now", { class: "small danger", "aria-label": `Destroy the replaced key of ${config.name} now`, on: { click: (event) => busy(event.currentTarget, () => actions.shred(config)) } }, "trash-2"),
    ),
  );
}

/** When, at a config's own row: the day matters, the minute does not. */
function until(iso) {
  const hours = Math.round((new Date(iso) - Date.now()) / 3_600_000);
  return hours < 1 ? "within the hour" : hours === 1 ? "in 1 hour" : hours < 48 ? `in ${hours} hours` : `in ${Math.round(hours / 24)} days`;
}

function lastUse(config) {
  if (!config.last_used_at) return null;
  return `used ${ago(config.last_used_at)}${config.last_used_by ? ` by ${config.last_used_by}` : ""}`;
}

function meta(config, kind) {
  if (kind?.is_demo) return ["Answers by rule, calls the demo service’s real tools, costs nothing"];
  const ownHost = config.base_url && config.base_url !== kind?.default_base_url ? host(config.base_url) : null;
  const key = config.api_key_hint ? h("span", { class: "mono" }, config.api_key_hint) : config.has_credentials ? "own credentials" : "no key";
  return [kind?.label ?? config.provider_type, key, config.model, ownHost, lastUse(config)].filter(Boolean);
}

function keyForm(config, kind, actions) {
  if (asksKeyAlone(kind)) return rotateForm(config, actions.rotate);
  return h("div", { class: "row" }, button("Change its credentials", { class: "small", on: { click: () => actions.edit(config) } }, "key-round"));
}

function trouble(config, kind, actions) {
  if (config.not_allowed) return note("warn", "ban", config.not_allowed);
  if (!config.is_enabled || !ADVICE[config.status]) return null;
  const warn = config.status === "quota_exhausted";
  const text = config.status_detail || ADVICE[config.status];
  return note(warn ? "warn" : "bad", warn ? "triangle-alert" : "circle-alert", text, wantsKey(config) && mayChange(config) && keyForm(config, kind, actions));
}

/** A row. `actions`: test, edit, rotate, restore, shred, toggle, discard; each takes the config. `result` is a test's note, shown in place. */
export function providerRow(config, kind, actions, result) {
  const isDemo = Boolean(kind?.is_demo);
  const item = (text, iconName, work, danger = false) => button(text, { class: danger ? "danger" : null, on: { click: work } }, iconName);
  const when = config.last_tested_at ? ago(config.last_tested_at) : `added ${ago(config.created_at)}`;
  const speed = config.last_latency_ms != null && config.status === "valid" ? `, ${config.last_latency_ms} ms` : "";
  const shown = result ?? trouble(config, kind, actions);
  const space = h("div", { role: "status", class: shown?.className });
  const changes = () => [
    item("Edit", "pencil", () => actions.edit(config)),
    !isDemo && item("Rotate key", "rotate-cw", () => (asksKeyAlone(kind) ? askKey() : actions.edit(config))),
    config.retired_keys?.length > 0 && item("Undo key rotation", "rotate-cw", () => actions.restore(config)),
    item(config.is_enabled ? "Disable" : "Enable", config.is_enabled ? "pause" : "check", () => actions.toggle(config)),
    h("hr"),
    item("Delete", "trash-2", () => actions.discard(config), true),
  ];
  const row = h(
    "li",
    { class: "provider", id: `config-${config.id}` },
    providerMark(config.provider_type),
    h(
      "div",
      {},
      h("div", { class: "title" }, config.name, isDemo && demoBadge(), config.is_default && badge("Default", "accent"), config.shared && badge("Shared")),
      h("div", { class: "meta" }, meta(config, kind).map((text) => (text instanceof Node ? text : h("span", {}, text)))),
    ),
    h("div", { class: "state" }, statusLine(config.status), h("div", { class: "tiny muted" }, isDemo ? "no key needed" : when + speed)),
    h(
      "div",
      { class: "actions" },
      mayHaveOwn && button("Test", { class: "small desk", "aria-label": `Test ${config.name}`, on: { click: (event) => busy(event.currentTarget, () => actions.test(config)) } }),
      mayHaveOwn && moreMenu(`More for ${config.name}`, [
        item("Test connection", "activity", () => actions.test(config)),
        ...(mayChange(config) ? changes() : []),
      ]),
    ),
    space,
  );
  const replaced = config.is_enabled && mayChange(config) ? replacedKey(config, actions) : null;
  if (replaced) row.append(replaced);
  if (shown) space.append(...shown.childNodes);
  if (result && wantsKey(config) && mayChange(config)) space.lastElementChild.append(keyForm(config, kind, actions));

  async function askKey() {
    const form = rotateForm(config, actions.rotate);
    const radius = h("div", { class: "small soft" });
    space.className = "note";
    const text = "The new key is tried, then takes over at once; runs in flight finish on the old one, which can be brought back for a while.";
    space.replaceChildren(icon("key-round"), h("div", { class: "stack tight" }, h("div", {}, text), radius, form));
    form.querySelector("input").focus();
    radius.textContent = await actions.dependents(config);
  }

  return row;
}
