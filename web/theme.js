// @ts-check
/**
 * Theme: light, dark, or the system's. In: the choice. Out: the style sheets' rules for the dark scheme hold always, never, or
 * as the system says; so do the browser's own controls.
 */

/** @typedef {"system" | "light" | "dark"} Theme */

const DARK = "(prefers-color-scheme: dark)";
const MEDIA = { system: DARK, light: "not all", dark: "all" };
const SCHEMES = { system: "light dark", light: "light", dark: "dark" };
/** @type {CSSMediaRule[] | null} */
let rules = null;

/** @param {Theme} theme */
export function applyTheme(theme) {
  rules ??= [...document.styleSheets].flatMap(({ cssRules }) => [...cssRules]).filter(isForDark);
  for (const rule of rules) rule.media.mediaText = MEDIA[theme];
  document.documentElement.style.colorScheme = SCHEMES[theme];
}

/** @param {CSSRule} rule @returns {rule is CSSMediaRule} */
function isForDark(rule) {
  return rule instanceof CSSMediaRule && rule.media.mediaText === DARK;
}
