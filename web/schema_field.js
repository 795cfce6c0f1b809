// @ts-check
/**
 * Schema field: the shape of the answer's value, as a person writes it. In: text. Out: the `schema` of a run, or the reason
 * why the text is none; whether it is a schema that can be applied is said by the run.
 */

import { html } from "/vendor/preact.mjs";
import { fieldValue } from "./fields.js";

/** @typedef {NonNullable<import("/rlm/rlm.js").RLMRunOptions["schema"]>} Schema */

/** @param {string} text @returns {{schema: Schema | undefined, why: string}} */
export function schemaOf(text) {
  if (text.trim() === "") return { schema: undefined, why: "" };
  try {
    const schema = JSON.parse(text);
    if (schema === true || (typeof schema === "object" && schema !== null && !Array.isArray(schema)))
      return { schema, why: "" };
    return { schema: undefined, why: "A JSON Schema is an object: { … }." };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { schema: undefined, why: `It is not JSON: ${error.message}.` };
  }
}

/** @param {{text: string, onChange: (text: string) => void}} props */
export function SchemaField({ text, onChange }) {
  const { why } = schemaOf(text);
  return html`<details class="limits" id="schema-field">
    <summary>Answer as a value <span class="muted">${text.trim() === "" ? "text" : why === "" ? "by a schema" : "not a schema yet"}</span></summary>
    <label for="schema">JSON Schema that the answer must fit</label>
    <textarea id="schema" rows="5" spellcheck="false" value=${text} aria-describedby="schema-hint"
      aria-invalid=${why === "" ? undefined : "true"} onInput=${(/** @type {Event} */ event) => onChange(fieldValue(event))}></textarea>
    <span class="muted" id="schema-hint">Draft 2020-12. The model is told where its answer does not fit.${
      why && html` <strong class="fault" role="alert">${why}</strong>`
    }</span>
  </details>`;
}
