// Recovery codes: copied, or kept as a file. They are shown once, so nothing is fetched.

import { copyText } from "./copy.js";

const codes = document.getElementById("recovery-codes");

document.querySelector("[data-copy-codes]")?.addEventListener("click", () => copyText(codes.textContent.trim()));

document.querySelector("[data-save-codes]")?.addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([codes.textContent], { type: "text/plain" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "routekit-recovery-codes.txt" });
  link.click();
  URL.revokeObjectURL(address);
});
