// One file on its way to the API, with its progress: fetch does not tell how much of a body has been sent.

import { ApiError, csrfToken, errorOf } from "./api.js";

const UNREACHABLE = "routekit cannot be reached. Check your connection and try again.";

/**
 * Sends `file` to `path` as multipart. `onProgress(part)` gets 0 to 1. Resolves to the API's object, rejects with an ApiError,
 * or with an AbortError once `signal` aborts.
 */
export function upload(path, file, { signal, onProgress, idempotencyKey }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/${path}`);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Idempotency-Key", idempotencyKey);
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => lengthComputable && onProgress(loaded / total));
    request.addEventListener("load", async () => {
      const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" };
      const answer = new Response(request.responseText, { status: request.status, headers });
      if (answer.ok) resolve(await answer.json());
      else reject(await errorOf(answer));
    });
    request.addEventListener("error", () => reject(new ApiError(0, [{ code: "unreachable", detail: UNREACHABLE, attr: null }])));
    request.addEventListener("abort", () => reject(new DOMException("The upload was stopped.", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    const body = new FormData();
    body.append("file", file, file.name || "file");
    request.send(body);
  });
}
