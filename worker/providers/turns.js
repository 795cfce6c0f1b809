// @ts-check
// Turns: neighbouring messages of one role as one message, since some models refuse or drop turns that do not alternate.
//
// In: a conversation. Out: the same words; messages without text are left out of a join.

/** @typedef {import("../wire/types.d.ts").RLMProviderCall["messages"]} Messages */

/**
 * @param {Messages} messages
 * @returns {Messages}
 */
export function merged(messages) {
  /** @type {Messages} */
  const turns = [];
  for (const { role, content } of messages) {
    const last = turns[turns.length - 1];
    if (last?.role !== role) turns.push({ role, content });
    else last.content = [last.content, content].filter((text) => text !== "").join("\n\n");
  }
  return turns;
}
