// @ts-check
/**
 * Settings of the page itself, kept in this browser: its theme, prices, and the way back to the defaults. In: `state`. Out:
 * changes to the settings.
 */

import { html } from "/vendor/preact.mjs";
import { fieldValue, isChecked } from "./fields.js";
import { state } from "./state.js";

/** @typedef {import("./settings.js").Settings} Settings */
/** @typedef {import("./theme.js").Theme} Theme */

/** @type {readonly [Theme, string][]} */
const THEMES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** @param {{onChange: (change: Partial<Settings>) => void, onReset: () => void}} props */
export function PageSettings({ onChange, onReset }) {
  const { theme, showsPrices } = state.settings;
  const choose = (/** @type {Event} */ event) => onChange({ theme: /** @type {Theme} */ (fieldValue(event)) });
  const show = (/** @type {Event} */ event) => onChange({ showsPrices: isChecked(event) });
  return html`<details class="limits page-settings" id="page-settings">
    <summary>This page <span class="muted">theme, prices</span></summary>
    <p class="row"><label for="theme">Theme</label>
      <select id="theme" value=${theme} onChange=${choose}>
        ${THEMES.map(([id, label]) => html`<option value=${id}>${label}</option>`)}
      </select></p>
    <label class="check"><input type="checkbox" id="shows-prices" checked=${showsPrices} onChange=${show} /> Show prices and costs</label>
    <p class="row"><button type="button" class="small" id="reset-settings" onClick=${onReset}>Back to the defaults</button>
      <span class="muted">Models, limits and these choices are kept in this browser, and go nowhere.</span></p>
  </details>`;
}
