// How much the model of the conversation thinks: shown where it thinks at all, or where something was chosen.

import { $ } from "../dom.js";
import { defaultModel, modelOf } from "./catalog.js";

const WORDS = { none: "Off", minimal: "Minimal", low: "Low", medium: "Medium", high: "High", xhigh: "Very high", max: "Most" };

function nameOf(reasoning) {
  if (!reasoning) return "Default";
  return reasoning.effort ? WORDS[reasoning.effort] : `${reasoning.budget_tokens} tokens`;
}

export function createThinkingMenu({ onChoose }) {
  const menu = $("#thinking-menu");
  const inputs = [...menu.querySelectorAll("input")];

  for (const input of inputs) {
    input.addEventListener("change", () => onChoose(input.value ? { effort: input.value } : null));
    input.closest("label").addEventListener("click", (event) => event.detail && setTimeout(() => (menu.open = false))); // arrow keys may go on
  }
  menu.addEventListener("toggle", () => {
    if (menu.open) (inputs.find((input) => input.checked) ?? inputs[0]).focus();
    else if (menu.contains(document.activeElement) || document.activeElement === document.body) $("summary", menu).focus();
  });

  return {
    /** `reasoning`: as the API has it; one that an API client chose (a budget, another word) is named, and none of the choices. */
    show(target, reasoning) {
      const model = target?.model ? modelOf(target.model) : defaultModel();
      menu.hidden = !model?.capabilities?.thinking && !reasoning;
      const choice = $("#thinking-choice");
      choice.textContent = nameOf(reasoning);
      choice.classList.toggle("desk", !reasoning); // a phone has no room for what goes without saying
      const value = reasoning ? reasoning.effort : "";
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}
