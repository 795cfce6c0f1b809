// @ts-check
/**
 * Nodes made outside Preact, put where it leaves room. In: a tag, a class and a function that makes the nodes of a
 * text. Out: an element that holds them, remade only when the text changes.
 */

import { html, useLayoutEffect, useRef } from "/vendor/preact.mjs";

/**
 * @param {{tag: string, class: string, text: string, make: (text: string) => DocumentFragment}} props
 */
export function Nodes({ tag, class: className, text, make }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => element.current?.replaceChildren(make(text)), [text]);
  return html`<${tag} class=${className} ref=${element}></${tag}>`;
}
