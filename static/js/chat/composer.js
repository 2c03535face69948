// Writing and sending, with files or without: Enter sends, Shift+Enter makes a line, Escape stops. What was typed is kept until the server has taken it.

import { announce } from "../announce.js";
import { $, ready } from "../dom.js";
import { acceptFiles } from "./drop.js";
import { createTray } from "./tray.js";

const ROWS = 12;

export function createComposer({ onSend, onStop }) {
  const form = $("#composer");
  const area = $("#message");
  const send = $("#send");
  const stop = $("#stop");
  const attach = $("#attach");
  let running = false;
  let sending = false;
  let missing = false;

  const isBlank = () => !area.value.trim() && tray.isEmpty;

  function show() {
    stop.hidden = !running;
    if (running || sending || isBlank() || tray.isUploading || tray.problem) send.setAttribute("aria-disabled", "true");
    else send.removeAttribute("aria-disabled");
  }

  const tray = createTray({ changed: show });

  function fit() {
    if (!CSS.supports("field-sizing", "content")) area.rows = Math.min(ROWS, area.value.split("\n").length);
    show();
  }

  /** Not where it would raise an on-screen keyboard that nobody asked for. */
  function focus() {
    if (matchMedia("(pointer: fine)").matches) area.focus();
  }

  async function submit() {
    const text = area.value.trim();
    if (isBlank() || sending) return;
    const wait = running ? "The assistant is still answering. Stop it first, or wait." : tray.isUploading ? "A file is still on its way." : tray.problem;
    if (wait) {
      announce(wait);
      return;
    }
    sending = true;
    area.readOnly = true;
    tray.setLocked(true);
    show();
    try {
      if (await onSend(text, tray.attachments)) {
        area.value = "";
        tray.clear();
      }
    } finally {
      sending = false;
      area.readOnly = false;
      tray.setLocked(false);
      fit();
      focus();
    }
  }

  async function halt() {
    if (stop.getAttribute("aria-busy") === "true") return;
    stop.setAttribute("aria-busy", "true");
    try {
      await onStop();
    } finally {
      stop.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  // Enter on a switch or model of the menus ends the choice; it must not send the message.
  form.addEventListener("keydown", (event) => {
    const menu = event.key === "Enter" && event.target.matches("input") && event.target.closest("details.menu");
    if (!menu) return;
    event.preventDefault();
    menu.open = false;
    $("summary", menu).focus();
  });
  acceptFiles({ onFiles: tray.add, isOpen: () => !area.disabled && !sending });
  stop.addEventListener("click", halt);
  area.addEventListener("input", fit);
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && running) {
      event.preventDefault();
      halt();
    }
  });
  show();

  return {
    /** Once the page knows its conversation: a message sent earlier would be painted over. */
    enable() {
      ready(form);
      area.disabled = send.disabled = attach.disabled = missing;
      if (document.activeElement === document.body) focus(); // never out of a menu that is already open
    },
    setRunning(value) {
      if (running === value) return;
      const hadFocus = document.activeElement === stop;
      running = value;
      if (!value) stop.removeAttribute("aria-busy");
      show();
      if (hadFocus && !value) area.focus();
    },
    get text() {
      return area.value;
    },
    /** Gives back what was written before, unless something else is being written. */
    restore(text) {
      if (area.value) return;
      area.value = text;
      fit();
    },
    /** The model that will answer, and its name on this page: it decides which files can go along. */
    setModel(model, name) {
      tray.setModel(model, name);
    },
    /** A conversation that does not exist takes no message. */
    setMissing(value) {
      if (missing === value) return;
      missing = value;
      if (!area.hasAttribute("data-wait")) area.disabled = send.disabled = attach.disabled = value;
    },
    fill(text) {
      area.value = text;
      fit();
      area.focus();
      area.setSelectionRange(text.length, text.length);
    },
    focus,
  };
}
