// @ts-check
/**
 * Style of `<rlm-ask>`: light or dark as the `color-scheme` of the page says, and its font. Each part can be styled from
 * outside by `::part()`; `--rlm-accent` is the colour of the button and of what has the focus.
 */

export const STYLE = `
:host {
  --accent: var(--rlm-accent, light-dark(#17694f, #79cdaa));
  --edge: light-dark(#7c8a82, #6d7d75);
  --soft: light-dark(#56635c, #9fada6);
  display: block;
  container-type: inline-size;
  color: light-dark(#1a221e, #e2e9e5);
  background: light-dark(#fcfdfb, #191f1c);
  border: 1px solid light-dark(#d5dbd5, #2d3733);
  border-radius: 0.5rem;
  padding: 1rem;
  line-height: 1.5;
  overflow-wrap: anywhere;
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
p, ul, ol, h3 { margin: 0.5rem 0; }
form > *, [part="drop"] > * { display: block; }
label { font-weight: 600; }
textarea {
  width: 100%;
  margin: 0.25rem 0 0.75rem;
  padding: 0.5rem;
  font: inherit;
  color: inherit;
  background: light-dark(#ffffff, #0d1210);
  border: 1px solid var(--edge);
  border-radius: 0.25rem;
  resize: vertical;
}
[part="drop"].is-over { outline: 2px dashed var(--accent); outline-offset: 0.25rem; }
button, [part="choose"] {
  display: inline-block;
  min-height: 2.25rem;
  padding: 0.25rem 0.75rem;
  font: inherit;
  font-weight: 600;
  color: inherit;
  background: transparent;
  border: 1px solid var(--edge);
  border-radius: 0.25rem;
  cursor: pointer;
}
[part="ask"] { color: light-dark(#ffffff, #0b1a14); background: var(--accent); border-color: var(--accent); }
[part="ask"]:disabled { opacity: 0.5; cursor: default; }
[part="remove"] { min-height: 0; padding: 0 0.4rem; font-weight: 400; }
:is(textarea, button):focus-visible, .unseen:focus-visible + [part="choose"] {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}
.unseen { position: absolute; width: 1px; height: 1px; opacity: 0; }
.row { display: flex; gap: 0.5rem; margin: 0; }
[part="progress"], [part="ending"], small { color: var(--soft); }
[part="progress"].is-busy::before {
  content: "";
  display: inline-block;
  width: 0.6em;
  height: 0.6em;
  margin-right: 0.5em;
  border-radius: 50%;
  background: var(--accent);
}
@media (prefers-reduced-motion: no-preference) {
  [part="progress"].is-busy::before { animation: pulse 1.2s infinite alternate; }
  @keyframes pulse { to { opacity: 0.25; } }
}
[part="error"], [part="problem"] { color: light-dark(#a32a20, #f2938a); white-space: pre-wrap; }
[part="error"]:empty { margin: 0; }
[part="result"] { margin-top: 0.75rem; padding-top: 0.75rem; border-top: 1px solid light-dark(#d5dbd5, #2d3733); }
[part="result"] h3 { font-size: 1rem; }
[part="answer"] pre { overflow-x: auto; white-space: pre-wrap; }
[part="answer"] table { border-collapse: collapse; display: block; overflow-x: auto; }
[part="answer"] :is(th, td) { padding: 0.2rem 0.5rem; border: 1px solid var(--edge); text-align: left; }
[part="answer"] a { color: var(--accent); }
.link-target { color: var(--soft); font-size: 0.85em; }
[part~="missing"] .mark { color: light-dark(#a32a20, #f2938a); }
small { display: block; font-size: 0.85em; }
`;
