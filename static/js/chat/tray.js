// Files that go with the next message: uploaded as soon as they are chosen, dropped or pasted, shown as chips until it is sent.

import { announce } from "../announce.js";
import { newKey } from "../api.js";
import { $, h, icon } from "../dom.js";
import { fileSize } from "../format.js";
import { keyed } from "../keyed.js";
import { upload } from "../upload.js";
import { ICONS, acceptedBy, cannotRead, kindOf, reads, readsInWords } from "./kinds.js";
import { contentUrl } from "./media.js";

const MOST = 20;

function chip(first, { onRemove }) {
  const face = h("span", { class: "face" }, icon(ICONS[first.kind]));
  const about = h("span", { class: "muted num" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${first.name}` });
  const remove = h("button", { type: "button", "aria-label": `Remove ${first.name}`, on: { click: () => onRemove(first.key) } }, icon("x"));
  const node = h("li", { class: "chip" }, face, h("span", { class: "clip" }, first.name), about, bar, remove);
  const update = (item) => {
    node.classList.toggle("bad", item.state === "failed" || item.unread);
    node.dataset.state = item.state;
    bar.hidden = item.state !== "uploading";
    bar.value = item.progress;
    about.textContent = item.state === "uploading" ? "" : item.state === "failed" ? "not sent" : fileSize(item.size);
    if (item.state === "ready" && item.kind === "image" && !$("img", face)) {
      face.replaceChildren(h("img", { src: contentUrl(item.attachment.id), alt: "", width: 20, height: 20 }));
    }
  };
  update(first);
  return { node, update };
}

/** `changed()`: whether there is something to send, or to wait for, may be another now. */
export function createTray({ changed }) {
  const list = $("#tray");
  const problem = $("#tray-problem");
  const button = $("#attach");
  const input = $("#files");
  let items = [];
  let model = null;
  let modelName = "";
  let count = 0;

  const show = keyed(list, () => (list.querySelector("button") ?? $("#message")).focus());

  function paint() {
    items = items.map((item) => {
      const unread = !reads(model, item);
      return unread === item.unread ? item : { ...item, unread };
    });
    list.hidden = items.length === 0;
    show(items.map((item) => ({ key: item.key, value: item, make: (value) => chip(value, { onRemove: drop }) })));
    const text = why();
    problem.hidden = !text;
    if (problem.textContent !== text) problem.textContent = text;
    changed();
  }

  function patch(key, change) {
    items = items.map((item) => (item.key === key ? { ...item, ...change } : item));
    paint();
  }

  /** Why these files cannot go along, in words; "" when they can. */
  function why() {
    const failed = items.filter((item) => item.state === "failed");
    if (failed.length) return failed.at(-1).error;
    const unread = items.filter((item) => item.unread);
    return unread.length ? `${cannotRead(modelName, unread.map((item) => item.kind))} Remove ${unread.length > 1 ? "them" : "it"}, or choose another model.` : "";
  }

  function drop(key) {
    items.find((item) => item.key === key)?.stop.abort();
    items = items.filter((item) => item.key !== key); // what nothing uses is swept by the server
    paint();
  }

  async function send(item, file) {
    const onProgress = (progress) => patch(item.key, { progress });
    try {
      const attachment = await upload("attachments", file, { signal: item.stop.signal, onProgress, idempotencyKey: newKey() });
      const { kind, media_type, size } = attachment;
      patch(item.key, { state: "ready", attachment, kind, media_type, size });
      announce(`${item.name} is attached`);
    } catch (error) {
      if (error.name !== "AbortError") patch(item.key, { state: "failed", error: error.message });
    }
  }

  function add(files) {
    const fresh = [...files].slice(0, MOST - items.length).map((file) => {
      const type = file.type || "text/plain";
      const item = { key: `file-${++count}`, name: file.name || "file", size: file.size, kind: kindOf(type), media_type: type };
      return { file, item: { ...item, state: "uploading", progress: 0, stop: new AbortController(), unread: false } };
    });
    items = [...items, ...fresh.map(({ item }) => item)];
    paint();
    for (const { item, file } of fresh) send(item, file);
    if (fresh.length < files.length) announce(`A message holds ${MOST} files; the others were left out.`);
  }

  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(input.files);
    input.value = ""; // the same file may be chosen again
  });

  return {
    add,
    get isUploading() {
      return items.some((item) => item.state === "uploading");
    },
    get problem() {
      return why();
    },
    get attachments() {
      return items.filter((item) => item.state === "ready").map((item) => item.attachment);
    },
    get isEmpty() {
      return items.length === 0;
    },
    setModel(chosen, name) {
      model = chosen;
      modelName = name;
      input.accept = acceptedBy(chosen);
      button.title = readsInWords(chosen, name);
      paint();
    },
    setLocked(value) {
      button.disabled = value;
      for (const control of list.querySelectorAll("button")) control.disabled = value;
    },
    clear() {
      items = [];
      paint();
    },
  };
}
