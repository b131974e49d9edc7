// Sends one part of a file to the address that was signed for it; it must not know why.

// A connection that died in its sleep says nothing; after this long without a byte it is given up.
const STILL_MS = 60_000;
// Larger parts would need their whole size in memory, several times over.
const LARGEST_DIGEST_BYTES = 32 * 1024 * 1024;

/** A part that did not arrive. `status` is that of the answer, 0 when there was none. */
export class PutError extends Error {
  constructor(status) {
    super(`The part was answered with ${status}.`);
    this.status = status;
  }
}

/**
 * PUT a part; its ETag ("" where the browser may not see it).
 *
 * `onProgress(bytes)` is told what has gone out. Throws PutError, or AbortError by `signal`.
 */
export function putPart(url, headers, blob, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    let stillness;
    const stillHere = () => {
      clearTimeout(stillness);
      stillness = setTimeout(() => request.abort(), STILL_MS);
    };
    const stop = () => request.abort();
    const end = (settle, value) => {
      clearTimeout(stillness);
      signal.removeEventListener("abort", stop);
      settle(value);
    };
    const fail = () => {
      const error = signal.aborted ? new DOMException("", "AbortError") : new PutError(0);
      end(reject, error);
    };
    request.upload.onprogress = (event) => {
      stillHere();
      onProgress(event.loaded);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        end(resolve, request.getResponseHeader("ETag") ?? "");
      } else {
        end(reject, new PutError(request.status));
      }
    };
    request.onerror = request.onabort = fail;
    signal.addEventListener("abort", stop);
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    stillHere();
    request.send(blob);
  });
}

/**
 * The SHA-256 of a part in hex, or null where the browser does not make one.
 *
 * Throws a DOMException (NotReadableError) when the file is not what was chosen any more.
 */
export async function digestOf(blob) {
  // Only in a secure context: behind TLS, or on this machine.
  if (!globalThis.crypto?.subtle || blob.size > LARGEST_DIGEST_BYTES) {
    return null;
  }
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the file can (still) be read. */
export async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
