// @ts-check
/**
 * The sources of a run by name, each of which opens. In: a `RunView` whose context is here. Out: a line of buttons; of many
 * the first.
 */

import { html } from "/vendor/preact.mjs";
import { plural } from "./format.js";
import { openSource, sourcesOf } from "./sources.js";

const MOST = 6;

/** @param {{run: import("./types/run.js").RunView}} props */
export function SourceButtons({ run }) {
  const names = [...sourcesOf(run.context).keys()];
  if (names.length === 0) return null;
  return html`<p class="source-names muted" id="source-names">Look at ${names
    .slice(0, MOST)
    .map(
      (name, at) =>
        html`${at > 0 && ", "}<button type="button" class="place-link" onClick=${() => openSource({ context: run.context, name, run })}>${name === "context" ? "the context" : name}</button>`,
    )}${names.length > MOST && ` or choose one of ${plural(names.length, "source")} there`}</p>`;
}
