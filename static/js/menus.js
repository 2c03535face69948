// Menus (`details.menu`) and side panels: listeners on the document, so that elements built later have them too.

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const chosen = event.target.closest(".popup :is(a, button)");
    if (!menu.contains(event.target) || (chosen && menu.contains(chosen))) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!menu) return;
  event.stopPropagation();
  event.preventDefault();
  menu.open = false;
  menu.querySelector("summary").focus();
}, true);

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

/** Opens or closes the side panel `name` of the shell that carries `data-<name>`, and remembers it. */
function setPanel(shell, name, state) {
  shell.dataset[name] = state;
  for (const toggle of shell.querySelectorAll(`[data-collapse="${name}"]`)) toggle.setAttribute("aria-expanded", String(state === "open"));
}

for (const shell of document.querySelectorAll("[data-inspector]")) {
  try {
    setPanel(shell, "inspector", localStorage.getItem("inspector") === "open" ? "open" : "closed");
  } catch {
    // without storage the panel starts closed
  }
}

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-collapse]");
  if (!toggle) return;
  const name = toggle.dataset.collapse;
  const shell = toggle.closest(`[data-${name}]`);
  const state = shell.dataset[name] === "open" ? "closed" : "open";
  setPanel(shell, name, state);
  if (state === "closed" && toggle.closest(`#${name}`)) shell.querySelector(`[data-collapse="${name}"]`).focus();
  try {
    localStorage.setItem(name, state);
  } catch {
    // as above
  }
});
