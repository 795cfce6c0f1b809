// @ts-check
/** Save: a file for the person's downloads. In: its bytes and its name. Out: a download. */

const KEPT_MS = 60_000;

/** @param {Blob} file @param {string} name */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
