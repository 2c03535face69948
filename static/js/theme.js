// The theme: automatic, light or dark. A blocking classic script, so that the first paint already has it.
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const words = { auto: "automatic", light: "light", dark: "dark" };

  function stored() {
    try {
      const name = localStorage.getItem("theme");
      return themes.includes(name) ? name : "auto";
    } catch {
      return "auto"; // storage may be forbidden; the system's theme is then the only one
    }
  }

  function apply(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) button.setAttribute("aria-label", `Theme: ${words[name]}`);
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => apply(stored()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // the choice then lasts until the next page
    }
    apply(next);
  });
})();
