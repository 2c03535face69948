// Form fields from a JSON Schema's properties, and their values back: what a provider asks for is said once, by the provider.

import { h } from "../dom.js";

const typeOf = (schema) => {
  const declared = schema.type ?? schema.anyOf?.find((choice) => choice.type !== "null")?.type ?? "string";
  return Array.isArray(declared) ? declared.find((type) => type !== "null") : declared;
};

function controlOf(schema, value, id) {
  const described = schema.description ? `${id}-hint` : null;
  const common = { id, "aria-describedby": described };
  const type = typeOf(schema);
  if (schema.enum) {
    const options = [h("option", { value: "" }, "As the provider decides"), ...schema.enum.map((choice) => h("option", { value: choice }, String(choice)))];
    const select = h("select", common, options);
    select.value = value ?? "";
    return select;
  }
  if (type === "boolean") return h("input", { ...common, class: "switch", type: "checkbox", role: "switch", checked: Boolean(value) });
  if (type === "integer" || type === "number") {
    return h("input", { ...common, type: "number", step: type === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, value: value ?? "" });
  }
  if (type === "object" || type === "array") return h("textarea", { ...common, rows: "3", spellcheck: "false", value: value ? JSON.stringify(value) : "" });
  const kind = schema.writeOnly ? "password" : schema.format === "uri" ? "url" : "text";
  return h("input", { ...common, type: kind, autocomplete: "off", spellcheck: "false", value: schema.writeOnly ? "" : (value ?? "") });
}

/** undefined leaves the property out. JSON that does not parse is sent as the text it is, and the API says so at the field. */
function valueOf(schema, control) {
  const type = typeOf(schema);
  if (type === "boolean") return control.checked;
  const text = control.value.trim();
  if (text === "") return undefined;
  if (type === "integer" || type === "number") return Number(text);
  if (type !== "object" && type !== "array") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Fields for `names` of `schema`, as `{nodes, read()}`. `prefix` is the API's name of the object that holds them, so that its
 * errors find their field.
 */
export function schemaFields(schema, names, { prefix, values = {} }) {
  const controls = new Map();
  const nodes = names.map((name) => {
    const property = schema.properties[name];
    const id = `${prefix}-${name}`;
    const control = controlOf(property, values[name] ?? property.default, id);
    controls.set(name, control);
    const title = property.title ?? name;
    const hint = property.description && h("p", { class: "hint", id: `${id}-hint` }, property.description);
    const label = typeOf(property) === "boolean" ? h("label", { class: "check" }, control, h("span", {}, title)) : h("label", { for: id }, title);
    return h("div", { class: "field", dataset: { field: `${prefix}.${name}` } }, label, typeOf(property) !== "boolean" && control, hint);
  });
  return {
    nodes,
    read() {
      const pairs = [...controls].map(([name, control]) => [name, valueOf(schema.properties[name], control)]);
      return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
    },
  };
}
