// Building elements without markup strings: every value becomes text or an attribute, never HTML.

const ICONS = document.documentElement.dataset.icons;
const SVG = "http://www.w3.org/2000/svg";

export const $ = (selector, within = document) => within.querySelector(selector);

/** An element. Properties: `class`, `on` ({event: listener}), `dataset`, booleans and attributes; null and false are left out. */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "value" || name === "checked") node[name] = value ?? "";
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""));
  return node;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function icon(name, extra = "") {
  return svg("svg", { class: `icon ${extra}`.trim(), "aria-hidden": "true" }, svg("use", { href: `${ICONS}#${name}` }));
}

export function button(label, properties = {}, iconName = null) {
  return h("button", { type: "button", ...properties }, iconName && icon(iconName), iconName && " ", label);
}

/** A square button that shows an icon and says `label`. */
export function iconButton(iconName, label, properties = {}) {
  const { class: extra = "", ...rest } = properties;
  return h("button", { type: "button", class: `quiet only small ${extra}`.trim(), "aria-label": label, ...rest }, icon(iconName));
}

export function note(kind, iconName, ...children) {
  return h("div", { class: `note ${kind}`.trim() }, icon(iconName, iconName === "loader-circle" ? "spin" : ""), h("div", {}, ...children));
}

export function badge(text, kind = "", iconName = null) {
  return h("span", { class: `badge ${kind}`.trim() }, iconName && icon(iconName, iconName === "loader-circle" ? "spin" : ""), iconName && " ", text);
}

/** A `details.menu` whose summary is an ellipsis; `entries` are buttons, links or `hr`. */
export function moreMenu(label, entries) {
  return h(
    "details",
    { class: "menu end" },
    h("summary", { class: "button quiet only small", "aria-label": label }, icon("ellipsis")),
    h("div", { class: "popup" }, entries),
  );
}

/** While `work` runs the button is busy and cannot be pressed again; it keeps its focus. */
export async function busy(node, work) {
  if (node.getAttribute("aria-busy") === "true") return undefined;
  node.setAttribute("aria-busy", "true");
  node.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    node.removeAttribute("aria-busy");
    node.removeAttribute("aria-disabled");
  }
}

/** What is useless until its script listens is served disabled (`data-wait`), so that nobody types into the void. */
export function ready(root) {
  for (const control of root.querySelectorAll("[data-wait]")) {
    control.disabled = false;
    control.removeAttribute("data-wait");
  }
}
