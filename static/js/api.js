// The REST API from the browser: session cookie, CSRF header, and errors as one class.

const ROOT = "/api/";

/** `errors` are the API's own `{code, detail, attr}`; `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  constructor(status, errors, retryAfter = null) {
    super(errors.map((error) => error.detail).join(" "));
    this.name = "ApiError";
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  get code() {
    return this.errors[0]?.code ?? "error";
  }
}

export function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function plainWords(status) {
  if (status === 404) return "There is nothing at this address any more.";
  if (status === 413) return "That is too large to send.";
  if (status === 429) return "Too many requests. Wait a moment and try again.";
  if (status === 503) return "routekit cannot reach its database or queue. Try again in a moment.";
  return `routekit could not answer (${status}). Try again.`;
}

/** The error of an answer that is not 2xx, whatever its body holds. */
export async function errorOf(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // a proxy's error page is no JSON
  }
  const errors = Array.isArray(body?.errors) && body.errors.length ? body.errors : [{ code: "error", detail: plainWords(response.status), attr: null }];
  const error = new ApiError(response.status, errors, Number(response.headers.get("Retry-After")) || null);
  if (response.status === 401 || error.code === "not_authenticated") toSignIn();
  return error;
}

/** Over HTTPS the cookie's name says that no other host may have set it. */
export const csrfToken = () => cookie("__Host-csrftoken") || cookie("csrftoken");

/** "signin" on the document: the page is about to be left, for a listener to keep what would be lost. */
function toSignIn() {
  document.dispatchEvent(new Event("signin"));
  const next = encodeURIComponent(location.pathname);
  location.assign(`${document.documentElement.dataset.login}?next=${next}`);
}

export async function request(method, path, body, { signal, idempotencyKey } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  let response;
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(new URL(path, location.origin + ROOT), { method, headers, body: content, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, [{ code: "unreachable", detail: "routekit cannot be reached. Check your connection and try again.", attr: null }]);
  }
  if (!response.ok) throw await errorOf(response);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => request("GET", path, undefined, options);
export const post = (path, body, options) => request("POST", path, body, options);
export const patch = (path, body, options) => request("PATCH", path, body, options);
export const remove = (path, options) => request("DELETE", path, undefined, options);

/** Only this origin's API is followed, whatever host a proxy let the server write into `next`. */
const local = (next) => {
  const url = new URL(next, location.href);
  return location.origin + url.pathname + url.search;
};

/** One page of a list: `{results, next}` with `next` ready for the next call, or null. */
export async function page(path, options) {
  const body = await get(path, options);
  if (Array.isArray(body)) return { results: body, next: null };
  return { results: body.results, next: body.next ? local(body.next) : null };
}

/** Every row of a list, following its cursor. */
export async function all(path, options) {
  const rows = [];
  for (let next = path; next; ) {
    const answer = await page(next, options);
    rows.push(...answer.results);
    next = answer.next;
  }
  return rows;
}

/** A key for `Idempotency-Key`. `crypto.randomUUID` is missing on plain HTTP away from localhost. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
