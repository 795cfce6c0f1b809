// @ts-check
// Kept promise: work that is done once for a key.
//
// In: a map, a key, and the work. Out: the promise of the key's first work; one that fails is forgotten, and may be tried
// again.

/**
 * @template T
 * @param {Map<string, Promise<T>>} kept
 * @param {string} key
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function keptPromise(kept, key, work) {
  const known = kept.get(key);
  if (known) return known;
  const promise = work().catch((/** @type {unknown} */ error) => {
    kept.delete(key);
    throw error;
  });
  kept.set(key, promise);
  return promise;
}
