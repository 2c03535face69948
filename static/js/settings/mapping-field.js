// A field that maps names to what is known of them, such as deployments to models: a row for each, which unfolds.

import { button, h, icon, iconButton } from "../dom.js";

let counter = 0;

/**
 * `{nodes, read(), problems(), isGroup}`. The first property of an entry stands beside its name, the others fold away; an entry of which
 * nothing else is said is written as that first text alone.
 */
export function mappingField(schema, entry, value, { id, attr, fields }) {
  const [first, ...others] = Object.keys(entry.properties);
  const keyTitle = schema.propertyNames?.title ?? "Name";
  const list = h("div", { class: "stack entries", role: "list", "aria-labelledby": `${id}-label` });
  const rows = [];
  const add = button(`Add ${keyTitle.toLowerCase()}`, { id, class: "small", on: { click: () => append("", {}).focus() } }, "plus");

  function append(key, said) {
    const values = typeof said === "string" ? { [first]: said } : (said ?? {});
    const within = `${id}-${(counter += 1)}-`;
    const shown = fields(entry, [first], { prefix: () => attr, values, switches: false, within });
    const folded = fields(entry, others, { prefix: () => attr, values, switches: false, within });
    const name = h("input", { id: `${within}key`, value: key, autocomplete: "off", spellcheck: "false" });
    const remove = iconButton("trash-2", `Remove this ${keyTitle.toLowerCase()}`, { on: { click: () => discard(row) } });
    const more = h("details", { class: "think" }, h("summary", {}, icon("chevron-right", "chevron"), " More about it"), h("div", { class: "stack" }, folded.nodes));
    more.open = others.some((property) => values[property] !== undefined);
    const pair = h("div", { class: "pair" }, h("div", { class: "field" }, h("label", { for: name.id }, keyTitle), name), shown.nodes, remove);
    const row = { name, shown, folded, node: h("div", { class: "entry field", role: "listitem" }, pair, others.length > 0 && more) };
    rows.push(row);
    list.append(row.node);
    return name;
  }

  function discard(row) {
    const at = rows.indexOf(row);
    rows.splice(at, 1);
    row.node.remove();
    (rows[at] ?? rows[at - 1])?.name.focus();
    if (!rows.length) add.focus();
  }

  /** Rows with something in them; each takes its name into the names of its fields, so that an error finds them. */
  function filled() {
    for (const row of rows) {
      const at = `${attr}.${row.name.value.trim()}`;
      row.node.dataset.field = at;
      for (const field of row.node.querySelectorAll("[data-name]")) field.dataset.field = `${at}.${field.dataset.name}`;
    }
    return rows
      .map(({ name, shown, folded }) => ({ key: name.value.trim(), said: { ...shown.read(), ...folded.read() } }))
      .filter(({ key, said }) => key || Object.keys(said).length);
  }

  const written = (said) => (Object.keys(said).length === 1 && typeof said[first] === "string" ? said[first] : said);

  for (const [key, said] of Object.entries(value ?? {})) append(key, said);
  return {
    nodes: [list, h("div", {}, add)],
    isGroup: true,
    read() {
      const found = filled();
      return found.length ? Object.fromEntries(found.map(({ key, said }) => [key, written(said)])) : undefined;
    },
    /** An object holds a name once, so that the second would silently take the place of the first. */
    problems() {
      const keys = filled().map(({ key }) => key);
      const twice = keys.find((key, at) => keys.indexOf(key) !== at);
      return twice === undefined ? [] : [{ attr: `${attr}.${twice}`, detail: twice ? `${keyTitle} ${twice} is there twice.` : `${keyTitle} is missing.` }];
    },
  };
}
