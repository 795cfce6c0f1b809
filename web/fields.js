// @ts-check
/**
 * Form fields as events report them. In: an event of a field. Out: its value, its check mark, or its files.
 */

/** @param {Event} event of a text field or a select */
export function fieldValue({ target }) {
  const isField = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  if (!isField && !(target instanceof HTMLSelectElement)) throw new TypeError("The event has no field.");
  return target.value;
}

/** Whether a number field holds text that is no number; its value is empty then. @param {Event} event */
export function isNoNumber({ target }) {
  return target instanceof HTMLInputElement && target.validity.badInput;
}

/** @param {Event} event of a check box */
export function isChecked({ target }) {
  return target instanceof HTMLInputElement && target.checked;
}

/**
 * The chosen files; the field is emptied, so that the same file can be chosen again.
 *
 * @param {Event} event of a file field
 */
export function takeChosen({ target }) {
  if (!(target instanceof HTMLInputElement)) return [];
  const files = [...(target.files ?? [])];
  target.value = "";
  return files;
}
