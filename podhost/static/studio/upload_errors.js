// Which failures of an upload pass by themselves, and what to call them.

import { ApiError, call } from "./api.js";
import { PutError } from "./upload_part.js";

/** The bucket's CORS rules do not let the browser in; `cors` is the API's answer. */
export class StorageRefuses extends Error {
  constructor(cors) {
    super(cors.message ?? "");
    this.cors = cors;
  }
}

/** A call of the API that nobody answered. */
export class NoAnswer extends Error {}

/** `call` of api.js, with an error of its own for no answer: a TypeError may be a fault of ours. */
export async function ask(...given) {
  try {
    return await call(...given);
  } catch (error) {
    throw error instanceof TypeError ? new NoAnswer(error.message) : error;
  }
}

/** Whether the same thing may go well a little later. */
export function isPassing(error) {
  if (error instanceof ApiError) {
    return error.status >= 500 || error.status === 429 || error.status === 408;
  }
  if (error instanceof PutError) {
    // 403: the address has expired. 422: the part was damaged on its way.
    return error.status >= 500 || [0, 403, 408, 422, 429].includes(error.status);
  }
  return error instanceof NoAnswer;
}

/** What is not well at the moment: "offline", "server" (no good answer), or "storage", which is
 * the bucket when parts go straight there. */
export function troubleOf(error, isDirect) {
  if (!navigator.onLine) {
    return "offline";
  }
  return error instanceof PutError && (error.status || isDirect) ? "storage" : "server";
}
