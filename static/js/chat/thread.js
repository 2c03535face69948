// The open conversation: its entries, and everything a person can do to it. Holds no DOM; `changed` says when to look again.

import { ApiError, all, get, newKey, patch, post } from "../api.js";
import { defaultModel, modelOf } from "./catalog.js";
import { followRun } from "./live.js";
import { narrate } from "./narrate.js";
import { groupByRun, turnOf, withRun } from "./stored.js";
import { isOver, startTurn } from "./turn.js";

const TITLE_LENGTH = 60;
const QUIET_MS = 6000;

function titleFrom(text) {
  const line = text.trim().split("\n", 1)[0];
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1)}…` : line;
}

/** A stored part as the API takes it: what it tells of an attachment beside its id is the server's. */
const asInput = (part) => (part.attachment ? { type: part.type, attachment: part.attachment } : part);

function entryOf({ run, user, replies }, status) {
  const spoken = replies.find((message) => message.role === "assistant");
  return {
    key: run ?? user.id,
    run: run ?? (replies.length ? (replies[0].run ?? replies[0].id) : null),
    user,
    turn: turnOf(run, replies, status),
    provider: spoken?.provider ?? null,
    at: spoken?.created_at ?? user?.created_at ?? null,
    row: null,
    quiet: false,
    seamBefore: null,
  };
}

export class Thread {
  id = null;
  conversation = null;
  entries = [];
  notes = [];
  nextModel = null;
  missing = false;
  #choice = {};
  #following = null;
  #settling = Promise.resolve();
  #unsent = null;
  #sending = 0;

  /** changed(thread): something to paint. updated(conversation): its row changed. created(conversation): it has just been made. */
  constructor({ changed, updated, created }) {
    Object.assign(this, { changed, updated, created });
  }

  get last() {
    return this.entries.at(-1) ?? null;
  }

  get active() {
    return this.last?.run && !isOver(this.last.turn) ? this.last : null;
  }

  /** The chosen target, or null for the default config's model. */
  get target() {
    return (this.conversation ? this.conversation.target : this.#choice.target) ?? null;
  }

  /** Ids of the services in use, or null for all that are enabled. */
  get services() {
    return (this.conversation ? this.conversation.services : this.#choice.services) ?? null;
  }

  /** How much the model thinks, or null for its default. */
  get reasoning() {
    return (this.conversation ? this.conversation.reasoning : this.#choice.reasoning) ?? null;
  }

  /** Opens a conversation, or with null an empty one. */
  async open(id) {
    this.#following?.abort();
    const opening = new AbortController();
    this.#following = opening;
    Object.assign(this, { id, conversation: null, entries: [], notes: [], nextModel: null, missing: false });
    this.#choice = {};
    if (!id) return this.changed(this);
    try {
      const { signal } = opening;
      const [conversation, messages] = await Promise.all([get(`conversations/${id}`, { signal }), all(`conversations/${id}/messages`, { signal })]);
      this.conversation = conversation;
      this.entries = this.#entriesOf(messages);
      this.updated(conversation);
      this.changed(this);
      if (conversation.active_run) await this.#resume(conversation.active_run, signal);
    } catch (error) {
      if (opening.signal.aborted || error.name === "AbortError") return undefined;
      this.missing = error.status === 404;
      const text = this.missing ? "There is no such conversation. It may have been deleted, or it is somebody else’s." : error.message;
      this.note("load", "bad", "circle-alert", text);
    }
    return undefined;
  }

  /** Takes in what another tab or a program did in this conversation meanwhile. Not while this page is at work itself. */
  async catchUp() {
    const { id, entries } = this;
    const undisturbed = () => this.id === id && this.entries === entries && this.#sending === 0;
    if (!this.conversation || this.active || !undisturbed()) return;
    const { signal } = this.#following;
    try {
      const conversation = await get(`conversations/${id}`, { signal });
      const newest = conversation.active_run ?? conversation.last_run;
      if (!newest || entries.some((entry) => entry.run === newest.id)) return;
      const messages = await all(`conversations/${id}/messages`, { signal });
      if (!undisturbed()) return;
      this.conversation = conversation;
      this.entries = this.#entriesOf(messages).map((entry) => entries.find((known) => known.key === entry.key) ?? entry);
      this.updated(conversation);
      this.changed(this);
      if (conversation.active_run) await this.#resume(conversation.active_run, signal);
    } catch {
      // the next time will do
    }
  }

  #entriesOf(messages) {
    const ends = [this.conversation.last_run, this.conversation.active_run].filter(Boolean);
    return groupByRun(messages).map((group) => entryOf(group, ends.find((run) => run.id === group.run)?.status));
  }

  async #resume({ id, status }, signal) {
    if (!this.entries.some((entry) => entry.run === id)) {
      this.entries = [...this.entries, entryOf({ run: id, user: null, replies: [] }, status)];
    }
    if (status === "waiting_approval") {
      const row = await get(`runs/${id}`, { signal });
      this.#update(id, (entry) => ({ turn: withRun(entry.turn, row) }));
    }
    this.#follow(id, false);
  }

  /** Replaces one entry; a late answer for a conversation that was left finds none. */
  #update(key, change) {
    const index = this.entries.findIndex((entry) => entry.key === key);
    if (index < 0) return;
    const entry = this.entries[index];
    this.entries = this.entries.with(index, { ...entry, ...change(entry) });
    this.changed(this);
  }

  async #follow(run, fresh) {
    this.#following?.abort();
    const controller = new AbortController();
    this.#following = controller;
    let silence;
    // A slow model and a lost worker look alike from here: the stream is open, and nothing comes but pings.
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => controller.signal.aborted || this.#update(run, () => ({ quiet: true })), QUIET_MS);
    };
    const onTurn = (turn, event) => {
      if (controller.signal.aborted) return;
      listen();
      this.#update(run, (entry) => ({ turn, quiet: false, startedAt: entry.startedAt ?? (fresh ? Date.now() : null), endedAt: isOver(turn) ? Date.now() : null }));
      narrate(turn, event);
    };
    const onLine = (open) => {
      if (open) this.clearNote("line");
      else this.note("line", "warn", "unplug", "Connection lost. The run goes on; this page catches up when it is back.", "status");
    };
    listen();
    try {
      await followRun({ run, conversation: this.id, fresh, signal: controller.signal, onTurn, onLine });
      if (!controller.signal.aborted) await Promise.all([this.readRow(run), this.#readConversation()]);
    } catch (error) {
      if (!controller.signal.aborted) this.note("line", "bad", "circle-alert", `This answer cannot be followed: ${error.message} Reload the page to see it.`);
    } finally {
      clearTimeout(silence);
    }
  }

  /** Reads the run's row into its entry: cost, time, and what only the row knows of tool calls. */
  async readRow(run) {
    const entry = this.entries.find((candidate) => candidate.run === run);
    if (!entry || entry.row) return;
    const row = await get(`runs/${run}`).catch(() => null);
    if (row) this.#update(entry.key, (now) => ({ row: isOver(row) ? row : null, turn: isOver(now.turn) ? withRun(now.turn, row) : now.turn }));
  }

  async #readConversation() {
    const { id } = this;
    const conversation = await get(`conversations/${id}`).catch(() => null);
    if (conversation && this.id === id) {
      this.conversation = conversation;
      this.updated(conversation);
    }
  }

  /** Sends text and attachments; on an error nothing is lost and the error is thrown. Makes the conversation first if there is none. */
  async send(text, files = []) {
    const media = files.map(({ kind, id }) => ({ type: kind, attachment: id }));
    await this.#sendAlone([...media, ...(text ? [{ type: "text", text }] : [])], text || files[0].name);
  }

  /** Sends the last message again, after its run failed. */
  async retry() {
    const user = this.entries.findLast((entry) => entry.user)?.user;
    if (user && !this.active) await this.#sendAlone(user.parts.map(asInput), "");
  }

  async #sendAlone(parts, text) {
    this.#sending += 1;
    try {
      await this.#sendParts(parts, text);
    } finally {
      this.#sending -= 1;
    }
  }

  async #sendParts(parts, text) {
    await this.#settling; // a switch of model or services reaches the server before the message does
    const opened = this.#following;
    if (!this.id) await this.#create(text);
    // The same words sent again after a lost line are the same request, not a second message.
    const content = JSON.stringify([this.id, parts]);
    if (this.#unsent?.content !== content) this.#unsent = { content, key: newKey() };
    const { message, run } = await post(`conversations/${this.id}/messages`, { parts }, { idempotencyKey: this.#unsent.key });
    this.#unsent = null;
    if (this.#following !== opened) return; // another conversation was opened meanwhile
    this.notes = [];
    const entry = { ...entryOf({ run: run.id, user: message, replies: [] }), turn: startTurn(run.id, run.status), seamBefore: this.nextModel };
    entry.provider = (this.target?.model ? modelOf(this.target.model) : defaultModel())?.provider ?? null;
    if (this.last) this.#update(this.last.key, () => ({})); // it is no longer the last, so it offers no "Try again"
    this.entries = [...this.entries, entry];
    this.nextModel = null;
    this.changed(this);
    this.#follow(run.id, true);
  }

  async #create(text) {
    const body = { title: titleFrom(text) };
    if (this.#choice.target) body.target = this.#choice.target;
    if (this.#choice.services) body.services = this.#choice.services;
    if (this.#choice.reasoning) body.reasoning = this.#choice.reasoning;
    const conversation = await post("conversations", body);
    Object.assign(this, { id: conversation.id, conversation });
    this.created(conversation);
  }

  async stop() {
    if (this.active) await post(`runs/${this.active.run}/cancel`);
  }

  /** After a decision the stream tells what became of it; the row is read for the case that the line is down. */
  async decided() {
    const { active } = this;
    if (!active) return;
    const row = await get(`runs/${active.run}`).catch(() => null);
    const waiting = row?.steps?.flatMap((step) => step.tool_calls ?? []).some((call) => call.status === "waiting");
    if (row && !waiting && this.active?.turn === active.turn) this.#update(active.key, ({ turn }) => ({ turn: { ...withRun(turn, row), attempts: turn.attempts } }));
  }

  #change(body) {
    if (!this.id) {
      Object.assign(this.#choice, body);
      return Promise.resolve();
    }
    const { id } = this;
    const work = this.#settling.then(async () => {
      const conversation = await patch(`conversations/${id}`, body);
      if (this.id === id) this.conversation = conversation;
      this.updated(conversation);
    });
    this.#settling = work.catch(() => {});
    return work;
  }

  /** Continues with another model; the log shows the seam at once. */
  async setModel(modelId) {
    await this.#change({ target: { model: modelId } });
    const { provider, model } = modelOf(modelId);
    this.nextModel = this.entries.length ? { provider, model } : null;
    this.changed(this);
  }

  setServices(ids) {
    return this.#change({ services: ids });
  }

  setReasoning(reasoning) {
    return this.#change({ reasoning });
  }

  rename(title) {
    return this.#change({ title });
  }

  note(id, kind, icon, text, role = "alert") {
    this.notes = [...this.notes.filter((note) => note.id !== id), { id, kind, icon, role, content: () => text }];
    this.changed(this);
  }

  /** What the API said, as a person understands it. */
  noteError(error) {
    const text = error instanceof ApiError ? error.message : "Something went wrong on this page. Reload it and try again.";
    const busyNow = error instanceof ApiError && error.code === "run_active";
    this.note("send", "bad", "circle-alert", busyNow ? "This conversation is still answering. Wait for it, or stop it, then send again." : text);
  }

  clearNote(id) {
    if (!this.notes.some((note) => note.id === id)) return;
    this.notes = this.notes.filter((note) => note.id !== id);
    this.changed(this);
  }
}
