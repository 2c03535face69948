// The tokens page: the list, and the form whose answer is shown once.

import { ApiError, all, newKey, post, remove } from "../api.js";
import { copyText } from "../copy.js";
import { confirmed } from "../dialog.js";
import { $, badge, busy, button, h, icon, iconButton, note, ready } from "../dom.js";
import { ago } from "../format.js";
import "../menus.js";
import { toastError, toastOk } from "../toast.js";
import { clearErrors, showErrors } from "./field-errors.js";

const PATH = "tokens";
const SCOPES = { read: ["read"], run: ["read", "run"], admin: ["read", "run", "admin"] };
const LIVES = [["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["", "never"]];
const DAY_MS = 86_400_000;
const dateFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

const section = $("#tokens");
const form = $("#make");
const made = $("#made");
let key = newKey();

const everybody = () => section.querySelector('[name="whose"]:checked')?.value === "all";

const mayWords = (scopes) => (scopes.includes("admin") ? "everything" : scopes.includes("run") ? "read and run" : "read");

function endOf(token) {
  if (!token.expires_at) return badge("No end");
  return new Date(token.expires_at) > new Date() ? badge(`Until ${dateFormat.format(new Date(token.expires_at))}`) : badge("Ended", "warn");
}

function row(token, withUser) {
  const meta = [withUser && token.user.username, h("span", { class: "mono" }, `${token.prefix}…`), mayWords(token.scopes), token.last_used_at ? `used ${ago(token.last_used_at)}` : "never used", `made ${ago(token.created_at)}`];
  return h(
    "li",
    { class: "member" },
    h("span", { class: "avatar", "aria-hidden": "true" }, icon("terminal")),
    h("div", {}, h("div", { class: "title" }, token.name), h("div", { class: "meta" }, meta.filter(Boolean).map((text) => (text instanceof Node ? text : h("span", {}, text))))),
    h("div", { class: "role" }, endOf(token)),
    h("div", { class: "more" }, iconButton("trash-2", `Revoke ${token.name}`, { on: { click: () => revoke(token) } })),
  );
}

async function reload() {
  const withUser = everybody();
  const rows = await all(withUser ? `${PATH}?all=true` : PATH);
  const list = rows.length
    ? h("ul", { class: "card rows" }, rows.map((token) => row(token, withUser)))
    : h("p", { class: "card card-body soft" }, "There is no token yet. Make one with the form; its value is shown once.");
  section.querySelector(":scope > ul, :scope > p, :scope > .note").replaceWith(list);
}

async function revoke(token) {
  const text = "Whatever uses it is refused from its next request on.";
  if (!(await confirmed({ title: `Revoke ${token.name}?`, text, yes: "Revoke" }))) return;
  try {
    await remove(`${PATH}/${token.id}`);
    toastOk(`${token.name} revoked`);
    await reload();
    $("#list-h").focus();
  } catch (error) {
    toastError(`${token.name} was not revoked`, error);
  }
}

function shown(token) {
  const value = h("input", { id: "tvalue", class: "mono", readonly: true, value: token.token });
  const curl = `curl -H "Authorization: Bearer $ROUTEKIT_TOKEN" ${location.origin}/api/models`;
  const copy = button("Copy", { on: { click: async () => (await copyText(token.token), toastOk("Token copied")) } }, "copy");
  return note(
    "ok",
    "circle-check",
    h(
      "div",
      { class: "token-value" },
      h("label", { for: "tvalue" }, h("b", {}, "Copy it now."), " It is not shown again."),
      h("div", { class: "join" }, value, copy),
      h("pre", { tabindex: "0", "aria-label": "Example" }, h("code", {}, curl)),
    ),
  );
}

async function make() {
  clearErrors(form);
  made.replaceChildren();
  const life = $("#tends").value;
  const body = { name: $("#tname").value.trim(), scopes: SCOPES[form.querySelector('[name="scope"]:checked').value] };
  if (life) body.expires_at = new Date(Date.now() + Number(life) * DAY_MS).toISOString();
  try {
    const token = await post(PATH, body, { idempotencyKey: key });
    form.reset();
    made.replaceChildren(shown(token));
    $("#tvalue").select();
    await reload();
  } catch (error) {
    const rest = error instanceof ApiError ? showErrors(form, error) : String(error);
    made.replaceChildren(...(rest ? [note("bad", "circle-alert", rest)] : []));
  }
  key = newKey();
}

function fillLives() {
  const most = Number(form.dataset.maxDays) || Infinity;
  const lives = LIVES.filter(([days]) => (days === "" ? most === Infinity : Number(days) <= most));
  if (most !== Infinity && !lives.some(([days]) => Number(days) === most)) lives.push([String(most), `${most} days, the most allowed here`]);
  $("#tends").replaceChildren(...lives.map(([days, words]) => h("option", { value: days, selected: days === "90" }, words)));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy($("#make-save"), make);
});
for (const radio of section.querySelectorAll('[name="whose"]')) radio.addEventListener("change", () => reload().catch((error) => toastError("The tokens could not be read", error)));
fillLives();
try {
  await reload();
  ready($("#main"));
} catch (error) {
  section.querySelector("ul").replaceWith(note("bad", "circle-alert", `The tokens could not be read. ${error.message}`));
}
