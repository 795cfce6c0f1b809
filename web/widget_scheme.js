// @ts-check
/**
 * Scheme of a notebook: light or dark, as its theme is, for the view of a widget. In: the marks that JupyterLab, marimo and VS
 * Code set on their pages. Out: `color-scheme` of the view, kept up to date; without a mark that of the page stays.
 */

/** @param {HTMLElement} host @returns {() => void} ends it */
export function followScheme(host) {
  const show = () => {
    const isDark = isDarkPage();
    host.style.colorScheme = isDark === null ? "" : isDark ? "dark" : "light";
  };
  const observer = new MutationObserver(show);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, {
      attributeFilter: ["class", "data-jp-theme-light", "data-theme", "data-vscode-theme-kind"],
    });
  show();
  return () => observer.disconnect();
}

function isDarkPage() {
  const { body, documentElement } = document;
  const { jpThemeLight, vscodeThemeKind } = body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return /dark|high-contrast$/.test(vscodeThemeKind);
  const marks = [body, documentElement].flatMap(({ classList, dataset }) => [...classList, dataset.theme ?? ""]);
  if (marks.includes("dark")) return true;
  return marks.includes("light") ? false : null;
}
