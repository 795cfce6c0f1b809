// Interpreter: Pyodide's half in JavaScript, with less to parse and to run at the start of each worker.
//
// In: the text of `pyodide.asm.mjs`. Out: the same without names that nothing reads, a third of it; with one module of wasm
// for all functions of JavaScript whose address the interpreter takes, in place of one each; and with the addresses of its
// exports listed for side modules when the first of them is loaded. Every name that is read stays as it was. An error names
// the form that this version of Pyodide does not have.

const ASSIGNED = /^([\w$]+)=Module\["([\w$]+)"\]=wasmExports\["[^"]+"\](\.value>>>0)?$/;
const IN_ITS_ASSIGNMENT = 3; // declared, assigned, and the property of `Module`

/**
 * @param {string} text
 * @param {string} others text of the modules that may read `Module`
 */
export function shortened(text, others) {
  return withLateAddresses(withOneWrapper(withoutUnread(text, others)));
}

/**
 * Without the variables and properties of exports that neither this text nor `others` reads. Side modules find exports by
 * their imports, not by these.
 * @param {string} text
 * @param {string} others
 */
function withoutUnread(text, others) {
  const [begin, end] = ["function assignWasmExports(wasmExports){", "}"];
  const from = found(text, begin) + begin.length;
  const to = text.indexOf(end, from);
  const counts = new Map();
  for (const [word] of text.matchAll(/[\w$]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const outside = new Set(others.match(/[\w$]+/g));
  /** @type {Set<string>} */
  const unread = new Set();
  const statements = text.slice(from, to).split(";");
  for (const statement of statements) {
    const [, name, property] = statement.match(ASSIGNED) ?? [];
    if (name !== undefined && name === property && counts.get(name) === IN_ITS_ASSIGNMENT && !outside.has(name))
      unread.add(name);
  }
  const kept = statements.filter((statement) => !unread.has(statement.match(ASSIGNED)?.[1] ?? ""));
  const declared = text.lastIndexOf("var ", from);
  const names = text
    .slice(declared + 4, from - begin.length)
    .replace(/;$/, "")
    .split(",");
  const left = names.filter((name) => !unread.has(name));
  if (unread.size === 0 || left.length !== names.length - unread.size) throw missing("the names of its exports");
  return `${text.slice(0, declared)}var ${left.join(",")};${begin}${kept.join(";")}${text.slice(to)}`;
}

/**
 * With one module of wasm that wraps all functions of JavaScript at once; their addresses come in the same order.
 * @param {string} text
 */
function withOneWrapper(text) {
  const one = "entry.value=addFunction(value,value.sig)";
  const begin = "var reportUndefinedSymbols=()=>{for(";
  const from = found(text, begin);
  const at = text.indexOf(one, from);
  const end = "}}}};";
  const to = text.indexOf(end, at);
  if (at < 0 || to < 0) throw missing(one);
  const loop = text.slice(from + begin.length, at);
  const rest = text.slice(at + one.length, to);
  return (
    `${text.slice(0, from)}${addFunctions};var reportUndefinedSymbols=()=>{var late=[];for(${loop}` +
    `if(value.sig)late.push([entry,value]);else ${one}${rest}}}}addFunctions(late)};${text.slice(to + end.length)}`
  );
}

/**
 * With the addresses of exports that the interpreter takes itself; those of the other 7,000 follow with the first side module,
 * before it defines any of its own.
 * @param {string} text
 */
function withLateAddresses(text) {
  const all = "updateGOT(origExports);";
  const loading = "var loadWebAssemblyModule=(binary,flags,libName,localScope,handle)=>{";
  const early =
    "var own={};for(var name in GOT)if(Object.hasOwn(origExports,name))own[name]=origExports[name];" +
    "updateGOT(own);listExports=()=>{listExports=null;updateGOT(origExports)};";
  found(text, all);
  found(text, loading);
  return text.replace(all, () => early).replace(loading, () => `var listExports=null;${loading}listExports?.();`);
}

/** Runs among Pyodide's own functions; of the text below it uses those that are declared here. */
const addFunctions = String(
  /**
   * @param {Array<[{value: number}, Function & {sig: string}]>} entries
   */
  function addFunctions(entries) {
    const number = (/** @type {number} */ n) => (n < 128 ? [n] : [(n % 128) | 128, n >> 7]);
    const section = (/** @type {number} */ id, /** @type {number[][]} */ items) => {
      const bytes = [...number(items.length), ...items.flat()];
      return [id, (bytes.length % 128) | 128, ((bytes.length >> 7) % 128) | 128, bytes.length >> 14, ...bytes];
    };
    const wrapped = [...new Set(entries.map(([, value]) => value))].filter((value) => !getFunctionAddress(value));
    if (wrapped.length > 0) {
      const types = wrapped.map(({ sig }) => [
        96,
        ...generateTypePack(sig.slice(1)),
        ...generateTypePack(sig[0] === "v" ? "" : sig[0]),
      ]);
      const name = (/** @type {number} */ n) => [2, 65 + (n % 26), 65 + ((n / 26) | 0)];
      const imports = wrapped.map((_, n) => [0, ...name(n), 0, ...number(n)]);
      const exported = wrapped.map((_, n) => [...name(n), 0, ...number(n)]);
      const bytes = [
        0,
        97,
        115,
        109,
        1,
        0,
        0,
        0,
        ...section(1, types),
        ...section(2, imports),
        ...section(7, exported),
      ];
      const text = (/** @type {number} */ n) => String.fromCharCode(...name(n).slice(1));
      const given = Object.fromEntries(wrapped.map((value, n) => [text(n), value]));
      const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), { "": given });
      wrapped.forEach((value, n) => {
        const slot = getEmptyTableSlot();
        setWasmTableEntry(slot, instance.exports[text(n)]);
        functionsInTableMap.set(value, slot);
      });
    }
    for (const [entry, value] of entries) entry.value = getFunctionAddress(value);
  },
);

/**
 * @param {string} text
 * @param {string} part
 */
function found(text, part) {
  const at = text.indexOf(part);
  if (at < 0) throw missing(part);
  return at;
}

/** @param {string} part */
function missing(part) {
  return new Error(
    `pyodide.asm.mjs of this version has no "${part}": bring hatch_interpreter.mjs to its form, or leave that step out.`,
  );
}
