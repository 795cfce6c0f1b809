// @ts-check
/**
 * What is left of a person's day, where the server limits it. In: `budget` of `/api/models`. Out: a line beside the limits.
 */

import { html } from "/vendor/preact.mjs";
import { count } from "./format.js";
import { cost as exact } from "./usage.js";

/** @typedef {{used: number, allowed: number, left: number}} Part */
/** @typedef {{calls?: Part, tokens?: Part, cost?: Part, until: string}} DayBudget */

const LEAST_ROUNDED = 0.1;

/** Cents, but for amounts that they would hide. @param {number} amount */
function dollars(amount) {
  return amount === 0 || amount >= LEAST_ROUNDED ? `$${amount.toFixed(2)}` : exact(amount);
}

/** @param {{budget: DayBudget | null}} props */
export function DayBudgetLine({ budget }) {
  if (budget === null) return null;
  const { calls, tokens, cost, until } = budget;
  const parts = [
    calls && `${count(calls.left)} of ${count(calls.allowed)} calls`,
    tokens && `${count(tokens.left)} of ${count(tokens.allowed)} tokens`,
    cost && `${dollars(cost.left)} of ${dollars(cost.allowed)}`,
  ].filter(Boolean);
  const isSpent = [calls, tokens, cost].some((part) => part?.left === 0);
  const time = new Date(until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return html`<p class="muted ${isSpent ? "fault" : ""}" id="day-budget">
    Left of your day on this server: ${parts.join(", ")}. It begins anew at ${time}.</p>`;
}
