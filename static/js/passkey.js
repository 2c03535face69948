// What allauth's script says of a passkey that was not used or made: shown on the page instead of in the console.

const shown = document.getElementById("passkey-error");

document.addEventListener("allauth.error", (event) => {
  if (!shown) return;
  event.preventDefault();
  shown.hidden = false;
});
