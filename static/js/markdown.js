// Model output to safe elements: Markdown, then the sanitiser, then our own decoration. Nothing in it is fetched by itself.

import DOMPurify from "../vendor/dompurify-3.4.18/purify.es.mjs";
import MarkdownIt from "../vendor/markdown-it-15.0.3/markdown-it.esm.min.mjs";
import { button, h } from "./dom.js";

const md = new MarkdownIt({ html: false, linkify: false });

// An image would be fetched, and its address can carry data away: only its words are shown.
md.renderer.rules.image = (tokens, index) => {
  const { content, attrs } = tokens[index];
  const source = attrs.find(([name]) => name === "src")?.[1] ?? "";
  return `<span class="chip">Image not loaded: ${md.utils.escapeHtml(content || "no description")} (${md.utils.escapeHtml(source)})</span>`;
};

// Alignment comes as a style attribute, which the content security policy refuses.
for (const rule of ["th_open", "td_open"]) {
  md.renderer.rules[rule] = (tokens, index) => {
    const right = tokens[index].attrs?.some(([, value]) => value === "text-align:right");
    return `<${tokens[index].tag}${right ? ' class="num"' : ""}>`;
  };
}

// The page has its h1: whatever an answer's highest heading is, it becomes an h2, and the others keep their distance.
md.core.ruler.push("lower_headings", (state) => {
  const headings = state.tokens.filter((token) => token.type.startsWith("heading_"));
  const highest = Math.min(...headings.map((token) => Number(token.tag[1])));
  for (const token of headings) token.tag = `h${Math.min(6, Number(token.tag[1]) - highest + 2)}`;
});

const POLICY = {
  ALLOWED_TAGS: "a b blockquote br code del em h2 h3 h4 h5 h6 hr i li ol p pre s span strong table tbody td th thead tr ul".split(" "),
  ALLOWED_ATTR: ["class", "href", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** A link says where it leads; one that leads nowhere we know becomes plain text. */
function showTarget(link) {
  const href = link.getAttribute("href");
  if (!href) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.rel = "noopener noreferrer nofollow";
  link.target = "_blank";
  link.title = href;
  if (link.textContent.trim() !== href) link.after(h("span", { class: "muted small" }, ` (${href.length > 80 ? `${href.slice(0, 79)}…` : href})`));
}

function wrapTable(table) {
  const wrap = h("div", { class: "table-wrap", tabindex: "0", role: "group", "aria-label": "Table" });
  table.replaceWith(wrap);
  wrap.append(table);
}

function wrapCode(pre) {
  const language = [...(pre.firstElementChild?.classList ?? [])].find((name) => name.startsWith("language-"))?.slice(9) ?? "";
  const copy = button("Copy", { class: "quiet small push", dataset: { copy: "" }, "aria-label": `Copy ${language || "code"}` }, "copy");
  const box = h("div", { class: "code" }, h("header", {}, language, " ", copy));
  pre.replaceWith(box);
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", language || "Code");
  box.append(pre);
}

export function render(text) {
  const fragment = DOMPurify.sanitize(md.render(text), POLICY);
  for (const link of fragment.querySelectorAll("a")) showTarget(link);
  for (const table of fragment.querySelectorAll("table")) wrapTable(table);
  for (const pre of fragment.querySelectorAll("pre")) wrapCode(pre);
  return fragment;
}

/** Shows `text` in `target`, keeping the leading blocks that did not change: a selection in them survives streaming. */
export function renderInto(target, text, { cursor = false } = {}) {
  const fragment = render(text);
  if (cursor) {
    const last = fragment.lastElementChild;
    const inside = last?.matches("p, h2, h3, h4, h5, h6") ? last : last?.matches("ul, ol") ? last.lastElementChild : null;
    (inside ?? fragment).append(h("span", { class: "cursor" }));
  }
  const fresh = [...fragment.childNodes];
  let same = 0;
  while (same < fresh.length && target.childNodes[same]?.isEqualNode(fresh[same])) same += 1;
  while (target.childNodes.length > same) target.lastChild.remove();
  target.append(...fresh.slice(same));
}
