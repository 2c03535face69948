// What a screen reader hears: one polite status line per page.

export function announce(text) {
  const line = document.getElementById("announce");
  if (line && line.textContent !== text) line.textContent = text;
}
