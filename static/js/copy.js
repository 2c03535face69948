// Copying text, and saying so.

import { announce } from "./announce.js";

/** `navigator.clipboard` is missing on plain HTTP away from localhost. */
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce("Copied");
}

// The copy buttons of code blocks; one listener, since blocks come and go while an answer streams.
document.addEventListener("click", (event) => {
  const source = event.target.closest("[data-copy]");
  if (source) copyText(source.closest(".code").querySelector("code").textContent);
});
