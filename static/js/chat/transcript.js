// The log: what people said, what runs made of it, seams between models, and notes. It follows its end only while the reader is there.

import { $, h, note } from "../dom.js";
import { clock } from "../format.js";
import { keyed } from "../keyed.js";
import { mediaList } from "./media.js";
import { continuedWith, seam, turnView } from "./turn-view.js";

const NEAR_END_PX = 48;

function userView(message) {
  const text = message.parts.filter((part) => part.type === "text").map((part) => part.text).join("\n");
  const time = clock(message.created_at);
  const label = `You${time ? `, ${time}` : ""}`;
  return { node: h("article", { class: "msg user", "aria-label": label }, mediaList(message.parts, "Attached"), text && h("div", { class: "bubble" }, text)) };
}

const seamView = (model) => ({ node: seam(continuedWith(model)) });

/** The model a turn began with, or ended with. */
const firstModel = (turn) => turn.attempts[0] ?? null;
const lastModel = (turn) => turn.attempts.at(-1) ?? null;
const differ = (a, b) => a && b && (a.provider !== b.provider || a.model !== b.model);

/** Rows of the log. A seam stands before the message with which another model took over. */
function items(thread, makeTurn) {
  const rows = [];
  let before = null;
  for (const entry of thread.entries) {
    const began = firstModel(entry.turn);
    const seamModel = differ(before, began) ? began : !began && before ? entry.seamBefore : null;
    if (seamModel) rows.push({ key: `seam:${entry.key}`, value: `${seamModel.provider}/${seamModel.model}`, make: () => seamView(seamModel) });
    if (entry.user) rows.push({ key: `user:${entry.key}`, value: entry.user, make: userView });
    if (entry.run) rows.push({ key: `turn:${entry.key}`, value: entry, make: makeTurn });
    before = lastModel(entry.turn) ?? before;
  }
  if (thread.nextModel && differ(before, thread.nextModel)) {
    const { provider, model } = thread.nextModel;
    rows.push({ key: `next:${provider}/${model}`, value: 0, make: () => seamView(thread.nextModel) });
  }
  return rows;
}

function noteRows(notes) {
  return notes.map(({ id, kind, icon: iconName, role, content }) => ({
    key: `note:${id}`,
    value: content,
    make: () => {
      const node = note(kind, iconName, ...[content()].flat());
      node.setAttribute("role", role);
      return { node };
    },
  }));
}

export function createTranscript(actions, { onSeen }) {
  const log = $("#log");
  const list = $("#transcript");
  const empty = $("#empty");
  let show = keyed(list);
  let atEnd = true;
  let frame = null;

  log.addEventListener("scroll", () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  });
  new ResizeObserver(() => atEnd && (log.scrollTop = log.scrollHeight)).observe(log);

  const seen = new IntersectionObserver(
    (records) => {
      for (const record of records) if (record.isIntersecting) onSeen(record.target.dataset.key);
    },
    { root: log, rootMargin: "200px" },
  );

  function makeTurn(entry) {
    const view = turnView(entry, actions);
    view.node.dataset.key = entry.key;
    seen.observe(view.node);
    return view;
  }

  function paint(thread) {
    frame = null;
    const rows = [...items(thread, makeTurn), ...noteRows(thread.notes)];
    empty.hidden = rows.length > 0 || Boolean(thread.id);
    list.hidden = !empty.hidden;
    list.removeAttribute("aria-busy");
    show(rows);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  return {
    /** Paints at most once a frame; a hidden tab gets no frames, so it is painted at once when it is seen again. */
    render(thread) {
      frame ??= requestAnimationFrame(() => paint(thread));
    },
    /** Another conversation: nothing of the last one stays. */
    reset() {
      list.replaceChildren();
      show = keyed(list);
      atEnd = true;
    },
    toEnd() {
      atEnd = true;
      log.scrollTop = log.scrollHeight;
    },
  };
}
