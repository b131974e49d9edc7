// Keeps unfinished uploads in the browser (IndexedDB); it must not know how they are sent.
//
// A record outlives its tab, a restart of the browser and one of the server. Where the browser
// keeps nothing (private windows), it lives as long as the page.

const DATABASE = "podhost-uploads";
const TABLE = "uploads";
const LOCK_MS = 1500;
// The server throws an upload away seven days after its last part.
const KEPT_MS = 8 * 24 * 3600 * 1000;

const inMemory = new Map();
let opening = null;

/** All records of a show, oldest first. */
export async function recordsOf(show) {
  const all = await inTable("readonly", (table) => table.getAll());
  const records = (all ?? [...inMemory.values()]).filter((record) => record.show === show);
  const [fresh, old] = [[], []];
  for (const record of records) {
    (record.createdAt > Date.now() - KEPT_MS ? fresh : old).push(record);
  }
  for (const record of old) {
    await forget(record.id);
  }
  return fresh.sort((a, b) => a.createdAt - b.createdAt);
}

/** Write a record down; `id` says which. */
export async function keep(record) {
  inMemory.set(record.id, record);
  await inTable("readwrite", (table) => table.put(record));
}

/** Remove a record; one that is not there is no error. */
export async function forget(id) {
  inMemory.delete(id);
  await inTable("readwrite", (table) => table.delete(id));
}

/**
 * Whether this tab may send the upload: another one that has the page open may do so already.
 *
 * Where there are no locks (without TLS) both would send the same bytes to the same places.
 */
export async function reserve(id) {
  if (!navigator.locks) {
    return true;
  }
  // A page that is being closed holds its locks for a moment longer.
  const options = { signal: AbortSignal.timeout(LOCK_MS) };
  return new Promise((resolve) => {
    navigator.locks
      .request(`podhost-upload-${id}`, options, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** What a request of the table gives; null where the browser keeps nothing. */
async function inTable(mode, ask) {
  let database;
  try {
    opening ??= open();
    database = await opening;
  } catch {
    return null;
  }
  return new Promise((resolve) => {
    try {
      const transaction = database.transaction(TABLE, mode);
      const request = ask(transaction.objectStore(TABLE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => resolve(null);
    } catch {
      // A full disk, or a file handle that this browser cannot keep.
      resolve(null);
    }
  });
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error);
  });
}
