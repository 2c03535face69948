// A tool whose definition is new or changed is blocked until a person has read it.

import { busy, button, h, icon } from "../dom.js";
import { reveal } from "../hidden.js";
import { compareLines } from "../line-diff.js";
import { mayChange } from "./rights.js";

const lines = (value) => (value == null ? [] : (typeof value === "string" ? value : JSON.stringify(value, null, 2)).split("\n"));

/** The API's `[{field, before, after}]` as lines kept, taken out and put in; of a new tool everything is put in. */
function diffLines({ state, diff, description, input_schema: schema }) {
  const added = [{ field: "description", after: description }, { field: "input_schema", after: schema }];
  const changes = diff?.length ? diff : state === "new" ? added : [];
  if (!changes.length) return [h("span", {}, "The service did not say what changed.")];
  return changes.flatMap(({ field, before, after }) => [
    h("span", {}, `${field}:`),
    ...compareLines(lines(before), lines(after)).map(([tag, text]) => h(tag, {}, ...reveal(text))),
  ]);
}

const WORDS = {
  new: { title: " is new and blocked", text: "added this tool after it was connected. Read what it does before agents may call it.", approve: "Approve the tool" },
  changed: { title: " changed its definition and is blocked", text: "now describes this tool differently. Read it before agents may call it again.", approve: "Approve the new definition" },
};

export function definitionChange(service, tool, { onApprove, onDeny }) {
  const id = `changed-${service.id}-${tool.name}`;
  const name = `${service.slug}__${tool.name}`;
  const words = WORDS[tool.state];
  return h(
    "section",
    { class: "decide", "aria-labelledby": id },
    h(
      "header",
      {},
      icon("shield-alert"),
      h(
        "div",
        {},
        h("h2", { id, class: "small" }, h("code", {}, ...reveal(name)), words.title),
        h("p", { class: "soft" }, `${service.display_name} ${words.text}`, tool.state === "changed" && tool.policy === "auto" && " It will ask from now on."),
      ),
    ),
    h("div", { class: "card-body" }, h("pre", { class: "diff", tabindex: "0", "aria-label": `Definition of ${name}` }, diffLines(tool))),
    h(
      "div",
      { class: "card-foot" },
      mayChange(service) && button(words.approve, { class: "primary", on: { click: (event) => busy(event.currentTarget, () => onApprove(tool)) } }),
      mayChange(service) && tool.policy !== "deny" && button("Deny the tool", { class: "quiet danger", on: { click: (event) => busy(event.currentTarget, () => onDeny(tool)) } }),
      h("span", { class: "tiny muted push" }, mayChange(service) ? "Until then it stays blocked." : "It stays blocked until an admin has read it."),
    ),
  );
}
