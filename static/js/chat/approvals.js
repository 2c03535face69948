// What a person must decide: a tool call that asks first, or one whose outcome nobody knows.

import { ApiError, post } from "../api.js";
import { button, h, icon } from "../dom.js";
import { timeLeft } from "../format.js";
import { hasHidden, reveal } from "../hidden.js";
import { everySecond } from "../ticker.js";
import { toastError } from "../toast.js";
import { isDemoService, serviceBySlug, toolName, toolsOf } from "./catalog.js";
import { demoBadge } from "../words.js";

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function facts(args) {
  const rows = Object.entries(args).flatMap(([name, value]) => [h("dt", {}, ...reveal(name)), h("dd", { class: "mono" }, ...reveal(asText(value)))]);
  return rows.length ? h("dl", { class: "facts" }, rows) : h("p", { class: "soft" }, "It takes no arguments.");
}

function exactJson(tool, definition) {
  const json = (title, value) => h("pre", { tabindex: "0", "aria-label": title }, ...reveal(JSON.stringify(value, null, 2)));
  return [
    json("Exact JSON", tool.arguments),
    definition?.description && h("p", { class: "soft" }, ...reveal(definition.description)),
    definition?.input_schema && json("Input schema", definition.input_schema),
  ].filter(Boolean);
}

function disclosure(title, content) {
  return h("details", { class: "think" }, h("summary", {}, icon("chevron-right", "chevron"), ` ${title}`), content);
}

/** Posts the decision; a 409 means somebody or the clock was faster, and the stream says which. */
async function decide(card, path, body, onDecided) {
  const buttons = card.querySelectorAll("button");
  for (const node of buttons) node.setAttribute("aria-disabled", "true");
  card.setAttribute("aria-busy", "true");
  try {
    await post(path, body);
    onDecided();
  } catch (error) {
    toastError(error instanceof ApiError && error.status === 409 ? "This was already decided" : "That decision was not taken", error);
    onDecided();
  } finally {
    card.removeAttribute("aria-busy");
    for (const node of buttons) node.removeAttribute("aria-disabled");
  }
}

/** A and D decide, but only from inside the card and never from a field or with a modifier. */
function shortcuts(card, keys) {
  card.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches("input, textarea, select")) return;
    const target = keys[event.key.toLowerCase()];
    if (!target) return;
    event.preventDefault();
    target.click();
  });
}

function countdown(node, tool) {
  if (!tool.approval?.expires_at) return;
  everySecond(node, () => {
    const left = timeLeft(tool.approval.expires_at);
    node.textContent = left ? `Expires in ${left}` : "Expired; nothing ran";
  });
}

const press = (work) => (event) => {
  if (event.currentTarget.getAttribute("aria-disabled") !== "true") work();
};

/** The card of a tool call that waits. `onDecided` is called once the API has answered. */
export function approvalCard(tool, onDecided) {
  const { service: slug, tool: shortName } = toolName(tool);
  const service = serviceBySlug(slug);
  const fullName = slug ? `${slug}__${shortName}` : shortName;
  const id = `approval-${tool.id}`;
  const approve = button(["Approve ", h("kbd", {}, "A")], { class: "primary" });
  const forRun = button("Approve for this run");
  const always = button("Always allow", { class: "quiet" });
  const deny = button(["Deny ", h("kbd", {}, "D")]);
  const explanation = h("p", { class: "soft" }, "Nothing runs until you decide.");
  const exact = h("div", { class: "stack" }, exactJson(tool, null));
  const left = h("span", { class: "tiny muted num push" });
  const hidden = hasHidden(JSON.stringify(tool.arguments));
  const card = h(
    "section",
    { class: "decide", "aria-labelledby": id, tabindex: "-1" },
    h(
      "header",
      {},
      icon("hand"),
      h("div", {}, h("h2", { id }, h("code", {}, ...reveal(fullName)), " wants to run ", isDemoService(service) && demoBadge()), explanation),
    ),
    h(
      "div",
      { class: "card-body" },
      facts(tool.arguments),
      hidden && h("p", { class: "note warn" }, icon("triangle-alert"), h("span", {}, "A value holds a hidden character, marked above. Check that it names what you mean.")),
      disclosure("Exact JSON and tool definition", exact),
    ),
    h("div", { class: "card-foot" }, approve, forRun, always, deny, left),
  );
  const send = (verdict, remember) => press(() => decide(card, `tool-calls/${tool.id}/${verdict}`, { remember }, onDecided));
  approve.addEventListener("click", send("approve", null));
  forRun.addEventListener("click", send("approve", "run"));
  always.addEventListener("click", send("approve", "always"));
  deny.addEventListener("click", send("deny", null));
  shortcuts(card, { a: approve, d: deny });
  countdown(left, tool);
  toolsOf(service).then((tools) => {
    const definition = tools.find((row) => row.name === shortName || row.name === tool.name);
    if (!definition) return;
    exact.replaceChildren(...exactJson(tool, definition));
    if (!definition.annotations?.destructiveHint) return;
    approve.classList.add("danger");
    always.remove(); // what cannot be undone is asked for each time, or for one run at most
    explanation.textContent = `${service.display_name} says this tool can destroy data. Nothing runs until you decide.`;
  });
  return { node: card };
}

/** The card of a call that was sent and never answered: only a person can find out whether it ran. */
export function resolveCard(tool, onDecided) {
  const { service, tool: shortName } = toolName(tool);
  const id = `resolve-${tool.id}`;
  const choices = [
    ["It ran, go on", "ran", ""],
    ["Run it again", "run_again", "danger"],
    ["Skip it", "skip", "quiet"],
  ];
  const card = h(
    "section",
    { class: "decide", "aria-labelledby": id, tabindex: "-1" },
    h(
      "header",
      {},
      icon("circle-alert"),
      h(
        "div",
        {},
        h("h2", { id }, "Did ", h("code", {}, ...reveal(service ? `${service}__${shortName}` : shortName)), " run?"),
        h("p", { class: "soft" }, "It was sent, but its answer was lost. Look in the service itself before you decide."),
      ),
    ),
    h("div", { class: "card-body" }, facts(tool.arguments)),
  );
  const foot = h("div", { class: "card-foot" });
  for (const [text, outcome, kind] of choices) {
    const work = press(() => decide(card, `tool-calls/${tool.id}/resolve`, { outcome }, onDecided));
    foot.append(button(text, { class: kind, on: { click: work } }));
  }
  card.append(foot);
  return { node: card };
}
