// A run's event stream over fetch: resumes with Last-Event-ID after any break, backs off, and tells an HTTP error from a lost line.
// (EventSource hides the status, so an expired log, a sign-out and a dead line would look alike.)

import { ApiError, errorOf } from "./api.js";

const SILENCE_MS = 60_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** Server-sent events out of decoded text. Feed chunks; complete events come back. */
export function createParser() {
  let rest = "";
  let event = { id: null, type: "message", data: [] };

  function line(text, done) {
    if (text === "") {
      if (event.data.length) done.push({ id: event.id, type: event.type, data: event.data.join("\n") });
      event = { id: null, type: "message", data: [] };
      return;
    }
    if (text.startsWith(":")) return;
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "id") event.id = value;
    else if (name === "event") event.type = value;
    else if (name === "data") event.data.push(value);
  }

  return (chunk) => {
    const done = [];
    // A chunk may end between the CR and the LF of one line end: keep the CR until the next chunk decides.
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const text of lines) line(text, done);
    return done;
  };
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

async function read(response, onEvent, abort) {
  const parse = createParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let watchdog;
  try {
    for (;;) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE_MS); // pings come far more often on a living line
      const { value, done } = await reader.read();
      if (done) return false;
      for (const event of parse(value)) if (onEvent(event)) return true;
    }
  } finally {
    clearTimeout(watchdog);
    reader.cancel().catch(() => {});
  }
}

/**
 * Follows `url` until `onEvent({seq, type, data})` returns true or `signal` aborts.
 * Calls `onLost()` when the line breaks and `onOpen(resumed)` whenever it is (again) open.
 * Throws ApiError for an answer that trying again cannot change: 4xx, so also 410 `log_expired`.
 */
export async function follow(url, { after = 0, signal, onEvent, onOpen = () => {}, onLost = () => {} }) {
  let last = after;
  let tries = 0;
  const deliver = ({ id, type, data }) => {
    const seq = Number(id);
    if (!id || seq <= last) return false;
    last = seq;
    return onEvent({ seq, type, data: JSON.parse(data) });
  };
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    try {
      const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": String(last) } : {}) };
      const response = await fetch(url, { headers, signal: attempt.signal, credentials: "same-origin", cache: "no-store" });
      if (!response.ok) throw await errorOf(response);
      onOpen(last > 0);
      const before = last;
      if (await read(response, deliver, attempt)) return;
      if (last > before) tries = 0;
    } catch (error) {
      const final = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (final || error instanceof SyntaxError) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      attempt.abort();
    }
    if (signal.aborted) return;
    tries += 1;
    if (tries > 1) onLost(); // one quick reconnect is nobody's business
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
    await pause(wait * (0.75 + Math.random() / 2), signal);
  }
}
