// The list of conversations: by day, with what needs attention, filtered by title.

import { page } from "../api.js";
import { $, button, h, icon } from "../dom.js";
import { dayGroup } from "../format.js";

const REFRESH_MS = 10_000;
const SEARCH_PAGES = 20;

const changedAt = (conversation) => conversation.updated_at ?? conversation.created_at;

function stateIcon({ active_run: active, last_run: last }) {
  if (active?.status === "waiting_approval") return [h("span", { class: "sr" }, "waiting for you"), icon("hand", "warn")];
  if (active) return [h("span", { class: "sr" }, "running"), icon("loader-circle", "spin")];
  if (last?.status === "failed") return [h("span", { class: "sr" }, "failed"), icon("circle-alert", "bad")];
  return [];
}

export function createConversations({ home, onOpen }) {
  const side = $("#conversations");
  const list = $("#conversation-list");
  const find = $("#find");
  const rows = new Map();
  let next = "conversations";
  let current = null;
  let trouble = null;
  let loaded = false;

  function link(conversation) {
    const title = conversation.title || "Untitled";
    const node = h(
      "a",
      { class: "convo", href: `${home}c/${conversation.id}/`, title, "aria-current": conversation.id === current ? "page" : null },
      h("span", { class: "clip" }, title),
      stateIcon(conversation),
    );
    node.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      if (side.matches(":popover-open")) side.hidePopover();
      onOpen(conversation.id);
    });
    return node;
  }

  function show() {
    if (!loaded) return;
    const wanted = find.value.trim().toLowerCase();
    const shown = [...rows.values()]
      .filter((conversation) => (conversation.title || "untitled").toLowerCase().includes(wanted))
      .sort((a, b) => changedAt(b).localeCompare(changedAt(a)));
    const nodes = [];
    let group = null;
    for (const conversation of shown) {
      const name = dayGroup(changedAt(conversation));
      if (name !== group) nodes.push(h("h3", {}, (group = name)));
      nodes.push(link(conversation));
    }
    if (trouble) nodes.push(h("p", { class: "small bad card-body", role: "alert" }, trouble));
    else if (!shown.length) nodes.push(h("p", { class: "small muted card-body" }, wanted ? "No conversation has that in its title." : "Your conversations will be listed here."));
    if (next && !wanted && !trouble) nodes.push(button("Show older", { class: "quiet small full", on: { click: () => more() } }));
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(...nodes);
    list.removeAttribute("aria-busy");
    if (focused) list.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  }

  async function more() {
    try {
      const answer = await page(next);
      next = answer.next;
      trouble = null;
      for (const conversation of answer.results) rows.set(conversation.id, conversation);
    } catch (error) {
      trouble = error.message;
    }
    loaded = true;
    show();
  }

  /** Titles are compared here, so a search first brings in what is not loaded yet. */
  async function search() {
    show();
    for (let turns = 0; next && find.value.trim() && !trouble && turns < SEARCH_PAGES; turns += 1) await more();
  }

  async function refresh() {
    const answer = await page("conversations").catch(() => null);
    for (const conversation of answer?.results ?? []) rows.set(conversation.id, conversation);
    if (answer) show();
  }

  find.addEventListener("input", search);
  setInterval(() => {
    const othersRun = [...rows.values()].some((conversation) => conversation.active_run && conversation.id !== current);
    if (othersRun && document.visibilityState === "visible") refresh();
  }, REFRESH_MS);

  return {
    load: more,
    get isEmpty() {
      return rows.size === 0;
    },
    upsert(conversation) {
      rows.set(conversation.id, conversation);
      show();
    },
    drop(id) {
      rows.delete(id);
      show();
    },
    select(id) {
      current = id;
      show();
    },
  };
}
