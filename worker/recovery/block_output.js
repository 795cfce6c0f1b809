// @ts-check
// Block output: the text that the running block prints, recorded once.
//
// In: pieces of text; the same ones again when a later worker runs the block again. Out: the part of a piece that is new.

import { MAX_MESSAGE_CHARS } from "../wire/protocol.js";

const MAX_SHOWN_CHARS = Math.min(1 << 20, MAX_MESSAGE_CHARS);

export function openOutput() {
  let text = "";
  let chars = 0;

  return {
    /**
     * The block begins, for the first time or once more.
     * @param {{isNew: boolean}} isNew
     */
    begin({ isNew }) {
      if (isNew) text = "";
      chars = 0;
    },
    /**
     * The end of `piece` that no worker printed before.
     * @param {string} piece
     */
    rest(piece) {
      const known = Math.max(0, text.length - chars);
      chars += piece.length;
      const rest = piece.slice(known);
      if (text.length < MAX_SHOWN_CHARS) text += rest;
      return rest;
    },
    text: () => text,
  };
}
