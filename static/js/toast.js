// Floating messages. Good news leaves by itself, bad news stays until it is dismissed.

import { h, icon, iconButton } from "./dom.js";

const SHOWN_MS = 6000;

function toast(kind, iconName, role, title, text) {
  const node = h(
    "div",
    { class: "toast", role },
    icon(iconName, kind),
    h("div", {}, h("b", {}, title), text && h("p", { class: "soft" }, text)),
    iconButton("x", "Dismiss", { on: { click: () => node.remove() } }),
  );
  document.getElementById("toasts").append(node);
  return node;
}

export function toastOk(title, text = "") {
  const node = toast("ok", "circle-check", "status", title, text);
  setTimeout(() => node.remove(), SHOWN_MS);
}

export const toastError = (title, error) => toast("bad", "circle-alert", "alert", title, error?.message ?? "");
