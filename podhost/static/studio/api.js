// Calls podhost's own API as whoever is signed in, and turns its errors into exceptions.

const PREFIX = "/api/v1";

/** What the API refused: `message` is a sentence, `fields` names the inputs that are wrong. */
export class ApiError extends Error {
  constructor(message, fields, status, code) {
    super(message);
    this.fields = fields;
    this.status = status;
    this.code = code;
  }
}

/** What every changing request of this page carries. */
export function csrf() {
  return document.querySelector('meta[name="csrf"]').content;
}

/**
 * One call; gives the parsed answer, or null where there is none.
 * Throws ApiError for what the server refuses, and TypeError while there is no connection.
 */
export async function call(method, path, { json, body, headers = {}, signal, keepalive } = {}) {
  const sent = {
    "X-CSRF-Token": csrf(),
    Accept: "application/json",
    // Sentences in the answer are to be in the language of the page.
    "Accept-Language": document.documentElement.lang,
    ...headers,
  };
  if (json !== undefined) {
    sent["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  }
  const answer = await fetch(path.startsWith(PREFIX) ? path : PREFIX + path, {
    method, body, headers: sent, signal, keepalive, credentials: "same-origin",
  });
  const text = await answer.text();
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  if (!answer.ok) {
    const error = isJson ? JSON.parse(text).error : null;
    throw new ApiError(error?.message || answer.statusText, error?.fields || {}, answer.status, error?.code);
  }
  return isJson && text ? JSON.parse(text) : null;
}
