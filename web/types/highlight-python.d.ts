/** highlight.js's grammar of Python (served as /vendor/highlight-python.js). */
declare const grammar: unknown;
export default grammar;
