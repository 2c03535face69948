// Form fields from a JSON Schema's properties, and their values back: what a provider asks for is said once, by the provider.

import { h, icon } from "../dom.js";
import { mappingField } from "./mapping-field.js";

const typeOf = (schema) => {
  const declared = schema.type ?? schema.anyOf?.find((choice) => choice.type !== "null")?.type ?? "string";
  return Array.isArray(declared) ? declared.find((type) => type !== "null") : declared;
};

const entryOf = (schema) => schema.additionalProperties?.anyOf?.find((choice) => choice.type === "object");
const option = (value, text) => h("option", { value }, text);

function selectOf(properties, choices, value) {
  const select = h("select", properties, choices);
  select.value = value ?? "";
  return select;
}

/** A list of choices: left open, or these and no other. */
function choicesField(schema, value, common, open) {
  const boxes = schema.items.enum.map((choice) => h("input", { type: "checkbox", value: choice, checked: Boolean(value?.includes(choice)) }));
  const labels = boxes.map((box) => h("label", { class: "check small" }, box, h("span", {}, box.value)));
  const group = h("div", { class: "row choices", role: "group", "aria-label": `${schema.title}, only these`, hidden: !value }, labels);
  const select = selectOf(common, [option("", open), option("these", "Only these")], value ? "these" : "");
  select.addEventListener("change", () => (group.hidden = select.value !== "these"));
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return { nodes: [select, group], read: () => (select.value ? chosen() : undefined) };
}

function booleanField(value, common, isSwitch, open) {
  if (isSwitch) {
    const box = h("input", { ...common, class: "switch", type: "checkbox", role: "switch", checked: Boolean(value) });
    return { nodes: [box], read: () => box.checked, inLabel: true };
  }
  const select = selectOf(common, [option("", open), option("true", "Yes"), option("false", "No")], value == null ? "" : String(value));
  return { nodes: [select], read: () => (select.value ? select.value === "true" : undefined) };
}

/** JSON that does not parse is sent as the text it is, and the API says so at the field. */
function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function textField(schema, value, common, stored) {
  const type = typeOf(schema);
  const secret = { placeholder: stored ? "Leave it empty to keep what is stored." : null, autocomplete: "off", spellcheck: "false" };
  const shown = schema.writeOnly ? "" : (value ?? "");
  let control;
  if (type === "integer" || type === "number") {
    control = h("input", { ...common, type: "number", step: type === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, value: shown });
  } else if (type === "object" || type === "array") {
    control = h("textarea", { ...common, rows: "3", spellcheck: "false", value: value ? JSON.stringify(value) : "" });
  } else if (schema.format === "multiline") {
    control = h("textarea", { ...common, ...secret, rows: "5", class: schema.writeOnly ? "masked" : null, value: shown });
  } else {
    control = h("input", { ...common, ...secret, type: schema.writeOnly ? "password" : schema.format === "uri" ? "url" : "text", value: shown });
  }
  const read = () => {
    const text = control.value.trim();
    if (text === "") return undefined;
    if (type === "integer" || type === "number") return Number(text);
    return type === "object" || type === "array" ? jsonOf(text) : text;
  };
  return { nodes: [control], read };
}

/** `{nodes, read(), problems?(), inLabel?, isGroup?}` of one property; `read` gives undefined where nothing is said. */
function controlOf(schema, value, { id, attr, stored, switches }) {
  const common = { id, "aria-describedby": schema.description ? `${id}-hint` : null };
  const type = typeOf(schema);
  const open = switches ? "As the provider decides" : "As its model does"; // the second of what is said of one deployment
  if (type === "object" && entryOf(schema)) return mappingField(schema, entryOf(schema), value, { id, attr, fields: schemaFields });
  if (type === "array" && schema.items?.enum) return choicesField(schema, value, common, open);
  if (type === "boolean") return booleanField(value, common, switches, open);
  if (!schema.enum) return textField(schema, value, common, stored);
  const none = schema.default === undefined ? [option("", open)] : [];
  const select = selectOf(common, [...none, ...schema.enum.map((choice) => option(choice, String(choice)))], value);
  return { nodes: [select], read: () => select.value || undefined };
}

function labelled(property, control, id) {
  const title = property.title ?? id;
  const hint = property.description && h("p", { class: "hint", id: `${id}-hint` }, property.description);
  if (control.isGroup) return [h("div", { class: "label", id: `${id}-label` }, title), hint, control.nodes];
  if (control.inLabel) return [h("label", { class: "check" }, control.nodes, h("span", {}, title)), hint];
  return [h("label", { for: id }, title), control.nodes, hint];
}

/** The nodes of one `x-group` fold together; open when something is said in them. */
function grouped(rows, values) {
  const nodes = [];
  const groups = new Map();
  for (const { name, property, node } of rows) {
    const title = property["x-group"];
    if (!title) {
      nodes.push(node);
      continue;
    }
    if (!groups.has(title)) {
      const body = h("div", { class: "stack" });
      groups.set(title, { body, details: h("details", { class: "think" }, h("summary", {}, icon("chevron-right", "chevron"), " ", title), body) });
      nodes.push(groups.get(title).details);
    }
    const { body, details } = groups.get(title);
    body.append(node);
    if (values[name] !== undefined && values[name] !== property.default) details.open = true;
  }
  return nodes;
}

/**
 * Fields for `names` of `schema`, as `{nodes, read(), problems()}`. `prefix(name)` is the API's name of the object that holds a
 * property, so that its errors find their field. `stored`: there may be a secret already. `switches`: a boolean that nothing is
 * said of is off, not undecided.
 */
export function schemaFields(schema, names, { prefix, values = {}, stored = false, switches = true, within = "" }) {
  const controls = new Map();
  const rows = names.map((name) => {
    const property = schema.properties[name];
    const attr = `${prefix(name)}.${name}`;
    const id = `${within}${prefix(name)}-${name}`.replaceAll(/[^\w-]/g, "_");
    const control = controlOf(property, values[name] ?? property.default, { id, attr, stored, switches });
    controls.set(name, control);
    return { name, property, node: h("div", { class: "field", dataset: { field: attr, name } }, labelled(property, control, id)) };
  });
  return {
    nodes: grouped(rows, values),
    read() {
      const pairs = [...controls].map(([name, control]) => [name, control.read()]);
      return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
    },
    problems: () => [...controls.values()].flatMap((control) => control.problems?.() ?? []),
  };
}
