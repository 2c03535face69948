// The state of the chain: the badge, the last verification, "Verify now", and what is wrong when something is.

import { get, post } from "../api.js";
import { announce } from "../announce.js";
import { $, badge, busy, h, note } from "../dom.js";
import { ago, count } from "../format.js";
import { toastError, toastOk } from "../toast.js";

function badgeOf(state) {
  if (state.intact === false) return badge("Chain broken", "bad", "shield-alert");
  if (state.intact) return badge(state.complete ? "Chain verified" : "Newest events verified", "ok", "shield-check");
  return state.at ? badge("Not verifiable", "warn", "triangle-alert") : badge("Not verified yet", "", "circle-dashed");
}

function sum(state) {
  const events = `${count(state.events)} ${state.events === 1 ? "event" : "events"}, each sealed to the one before`;
  return state.at ? `${events}; last checked ${ago(state.at)}.` : `${events}.`;
}

function problems(state) {
  if (state.intact === false) {
    const told = state.problems.map((problem) => h("li", {}, problem.detail));
    const after = "Keep the database as it is, and compare it with a backup and with the heads that were written out.";
    return note("bad", "shield-alert", h("b", {}, "The chain is not what was recorded."), h("ul", {}, told), after);
  }
  if (state.at && state.intact === null) {
    return note("warn", "triangle-alert", `The key of ${count(state.unverified)} events cannot be opened: the KEK is another than before. They do follow one another.`);
  }
  return "";
}

export function createChain() {
  function show(state) {
    $("#chain-badge").replaceChildren(badgeOf(state));
    $("#chain-sum").textContent = sum(state);
    $("#chain-problems").replaceChildren(problems(state));
    $("#chain-problems").classList.toggle("section", Boolean(problems(state)));
  }

  async function verify(onVerified) {
    try {
      const state = await post("audit/verify");
      show(state);
      const span = `Events ${count(state.first_seq)} to ${count(state.last_seq)}`;
      if (state.intact) toastOk("The chain is intact", `${span} are what was recorded.`);
      else announce("The chain is not intact");
      onVerified();
    } catch (error) {
      toastError("The chain was not verified", error);
    }
  }

  return {
    /** onVerified: the verification is an event, too. */
    start(onVerified) {
      $("#verify").addEventListener("click", (event) => busy(event.currentTarget, () => verify(onVerified)));
      get("audit/verify").then(show, () => {});
    },
  };
}
