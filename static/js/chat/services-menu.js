// Which services the conversation may use: a switch each.

import { $, h, icon } from "../dom.js";
import { demoBadge } from "../words.js";
import { enabledServices, isDemoService } from "./catalog.js";

const STATES = { untested: "not tested yet", unreachable: "not answering", error: "answers with an error", unauthorized: "wants a sign-in" };
const isFine = ({ status }) => status === "connected";

export function createServicesMenu({ onChange, servicesUrl }) {
  const menu = $("#services-menu");
  const popup = $(".popup", menu);

  function option(service, isOn) {
    const input = h("input", { class: "switch", type: "checkbox", role: "switch", value: service.id, checked: isOn });
    input.addEventListener("change", () => onChange([...popup.querySelectorAll("input:checked")].map((chosen) => chosen.value)));
    const demo = isDemoService(service);
    return h(
      "label",
      { class: "option" },
      icon(demo ? "flask-conical" : "plug"),
      h("span", {}, service.display_name),
      demo && demoBadge(),
      !isFine(service) && h("span", { class: service.status === "untested" ? "tiny muted" : "tiny bad" }, STATES[service.status] ?? service.status),
      input,
    );
  }

  return {
    /** `chosen`: ids (or slugs) in use, or null for all. Counted are those in use that answered when they were last asked. */
    show(chosen) {
      const services = enabledServices();
      const isOn = (service) => chosen === null || chosen.includes(service.id) || chosen.includes(service.slug);
      const inUse = services.filter(isOn);
      const fine = inUse.filter(isFine).length;
      const rest = inUse.length - fine;
      const trouble = rest ? `${rest} ${rest === 1 ? "is" : "are"} not connected` : "";
      menu.firstElementChild.title = trouble;
      $("#services-count").replaceChildren(String(fine), h("span", { class: "sr" }, " of "), h("span", { "aria-hidden": "true" }, "/"), String(services.length), ...(trouble ? [h("span", { class: "sr" }, `, ${trouble}`)] : []));
      if (menu.contains(document.activeElement) && popup.querySelector("input")) return; // the switches already say it
      const caption = h("p", { class: "cap" }, services.length ? "Services in this conversation" : "No service is connected yet");
      const add = h("a", { href: `${servicesUrl}#connect` }, icon("plus"), " Connect a service");
      popup.replaceChildren(caption, ...services.map((service) => option(service, isOn(service))), h("hr"), add);
    },
  };
}
