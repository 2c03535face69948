// The chat page: wires the thread to the list, the log, the composer, the menus and the inspector.

import { remove } from "../api.js";
import { $, ready } from "../dom.js";
import { asked, confirmed } from "../dialog.js";
import "../menus.js";
import { toastError } from "../toast.js";
import { runBadge } from "../words.js";
import { configs, defaultModel, enabledServices, isDemoProvider, loadCatalog, modelOf } from "./catalog.js";
import { createComposer } from "./composer.js";
import { createConversations } from "./conversations.js";
import { createDraft } from "./draft.js";
import { createInspector } from "./inspector.js";
import { createModelMenu, nameOf } from "./model-menu.js";
import { createServicesMenu } from "./services-menu.js";
import { createThinkingMenu } from "./thinking-menu.js";
import { Thread } from "./thread.js";
import { createTranscript } from "./transcript.js";

const { home, providers: providersUrl, services: servicesUrl, conversation: first, user } = $("#chat").dataset;
const CATCH_UP_MS = 10_000;
const MILESTONES = /^(queued|waiting_approval|completed|failed|cancelled)$/;

let painted = { status: null, attempts: 0 };

function showHead() {
  const { conversation, active } = thread;
  const title = conversation?.title || (thread.id ? "Conversation" : "New conversation");
  $("#title").textContent = title;
  document.title = `${title} · routekit`;
  $("#run-badge").replaceChildren(...(active ? [runBadge(active.turn.status)] : []));
  $("#conversation-menu").hidden = !conversation;
  $(".thread-head > [data-rename]").hidden = !conversation;
}

function showMenus() {
  modelMenu.show(thread.target);
  const chosen = thread.target?.model ? modelOf(thread.target.model) : defaultModel();
  composer.setModel(chosen, nameOf(chosen));
  servicesMenu.show(thread.services);
  thinkingMenu.show(thread.target, thread.reasoning);
}

function changed() {
  transcript.render(thread);
  composer.setRunning(Boolean(thread.active));
  composer.setMissing(thread.missing);
  const { last } = thread;
  const now = { status: last?.turn.status ?? null, attempts: last?.turn.attempts.length ?? 0, run: last?.run ?? null };
  if (now.status !== painted.status || now.run !== painted.run) {
    showHead();
    const active = thread.active && { id: now.run, status: now.status };
    if (thread.conversation && last) conversations.upsert({ ...thread.conversation, active_run: active, last_run: { id: now.run, status: now.status } });
  }
  if (now.run !== painted.run || now.attempts !== painted.attempts || (now.status !== painted.status && MILESTONES.test(now.status))) inspector.follow(now.run);
  painted = now;
}

function updated(conversation) {
  conversations.upsert(conversation);
  if (conversation.id !== thread.id) return;
  showHead();
  showMenus();
}

function created(conversation) {
  history.pushState(null, "", `${home}c/${conversation.id}/`);
  conversations.select(conversation.id);
  updated(conversation);
}

/** Whether the text was taken; if not, the log says why and the composer keeps it. */
async function attempt(work) {
  thread.clearNote("send");
  try {
    await work();
    transcript.toEnd();
    return true;
  } catch (error) {
    thread.noteError(error);
    return false;
  }
}

const thread = new Thread({ changed, updated, created });
const transcript = createTranscript(
  {
    isLast: (entry) => thread.last?.key === entry.key,
    retry: () => attempt(() => thread.retry()),
    chooseModel: () => modelMenu.open(),
    inspect: (entry) => inspector.open(entry.run),
    decided: () => thread.decided(),
    providersUrl,
  },
  { onSeen: (key) => thread.entries.some((entry) => entry.key === key && entry !== thread.active) && thread.readRow(key) },
);
const draft = createDraft(user);
const composer = createComposer({
  onSend: (text, files) => attempt(() => thread.send(text, files).then(draft.clear)),
  onStop: () => thread.stop().catch((error) => toastError("The run was not stopped", error)),
});
const inspector = createInspector({ runs: () => thread.entries.map((entry) => entry.run).filter(Boolean) });
const conversations = createConversations({ home, onOpen: (id) => go(id) });
const modelMenu = createModelMenu({
  providersUrl,
  onChoose: (id) => thread.setModel(id).catch((error) => toastError("The model was not switched", error)).finally(showMenus),
});
const servicesMenu = createServicesMenu({
  servicesUrl,
  onChange: (ids) => thread.setServices(ids).catch((error) => toastError("The services were not changed", error)).finally(showMenus),
});
const thinkingMenu = createThinkingMenu({
  onChoose: (reasoning) => thread.setReasoning(reasoning).catch((error) => toastError("How much it thinks was not changed", error)).finally(showMenus),
});

function open(id) {
  transcript.reset();
  conversations.select(id);
  const opening = thread.open(id);
  showHead();
  showMenus();
  showFirstSteps();
  composer.restore(draft.take(id));
  composer.focus();
  return opening;
}

function go(id) {
  const address = id ? `${home}c/${id}/` : home;
  if (location.pathname !== address) history.pushState(null, "", address);
  return open(id);
}

const addressed = () => location.pathname.match(/\/c\/([0-9a-f-]{36})\/$/)?.[1] ?? null;

/** What is left to do before real work: shown until there is a key of one's own. */
function showFirstSteps() {
  const ownKeys = configs().some((config) => !isDemoProvider(config.provider_type));
  const chosen = thread.target?.model ? modelOf(thread.target.model) : defaultModel();
  for (const id of ["first-steps", "first-steps-intro"]) $(`#${id}`).hidden = ownKeys || !conversations.isEmpty;
  $("#demo-hint").hidden = !isDemoProvider(chosen?.provider);
  const names = enabledServices().map((service) => service.display_name);
  $("#connected-services").textContent = names.length ? `Connected: ${names.join(", ")}.` : "";
}

async function rename() {
  const { id, conversation } = thread;
  const field = { label: "Title", value: conversation.title ?? "", maxLength: 200 };
  const title = await asked({ title: "Rename this conversation", text: "", yes: "Rename", field });
  if (!title || thread.id !== id) return;
  await thread.rename(title).catch((error) => toastError("It was not renamed", error));
}

async function discard() {
  const { id, conversation } = thread;
  const text = `“${conversation.title || "Untitled"}” and its messages will be gone for good. What it cost stays in the ledger.`;
  if (!(await confirmed({ title: "Delete this conversation?", text, yes: "Delete" }))) return;
  try {
    await remove(`conversations/${id}`);
    conversations.drop(id);
    if (thread.id === id) await go(null);
  } catch (error) {
    toastError("It was not deleted", error);
  }
}

for (const node of document.querySelectorAll("[data-rename]")) node.addEventListener("click", rename);
$("[data-delete]").addEventListener("click", discard);
$("#new-conversation").addEventListener("click", () => {
  const side = $("#conversations");
  if (side.matches(":popover-open")) side.hidePopover();
  go(null);
});
for (const prompt of document.querySelectorAll("[data-prompt]")) prompt.addEventListener("click", () => composer.fill(prompt.textContent.trim()));
ready($("#conversations"));
document.addEventListener("signin", () => draft.keep(thread.id, composer.text));
const catchUp = () => document.visibilityState === "visible" && thread.catchUp();
document.addEventListener("visibilitychange", catchUp);
setInterval(catchUp, CATCH_UP_MS);
window.addEventListener("popstate", () => open(addressed()));

conversations.select(first || null);
await Promise.all([loadCatalog(), conversations.load()]);
const opening = open(first || null);
if (!first) composer.enable();
await opening;
composer.enable();
