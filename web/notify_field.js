// @ts-check
/**
 * The setting for a notification at the end of a run. In: the person's choice, and the browser's permission. Out: a check
 * box, and a line where the browser does not permit it.
 */

import { html, useState } from "/vendor/preact.mjs";
import { state } from "./state.js";
import { askToNotify } from "./tab_title.js";

/** @param {{onChange: (change: {notifies: boolean}) => void}} props */
export function NotifyField({ onChange }) {
  const [isRefused, setRefused] = useState(false);
  const { notifies } = state.settings;
  const toggle = async () => {
    if (notifies) return onChange({ notifies: false });
    const may = await askToNotify();
    setRefused(!may);
    onChange({ notifies: may });
  };
  return html`<label class="check"><input type="checkbox" id="notifies" checked=${notifies} onChange=${() => void toggle()} />
      Notify me when a run ends while this tab is not in sight</label>
    ${isRefused && html`<p class="muted" role="status">This browser does not permit it: allow notifications of this site in its settings.</p>`}`;
}
