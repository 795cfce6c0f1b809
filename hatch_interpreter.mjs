// Interpreter: Pyodide's half in JavaScript, with less to parse and to run at the start of each worker.
//
// In: the text of `pyodide.asm.mjs`. Out: the same without names that nothing reads, a third of it; with one module of wasm
// for all functions of JavaScript whose address the interpreter takes, in place of one each; with the addresses of its
// exports listed for side modules when the first of them is loaded; without the libraries that need a window, a fifth of it;
// and in parentheses, the sign that it is called. Every name that is read stays as it was. An error names the form that this
// version of Pyodide does not have.

import { transform } from "esbuild";

const ASSIGNED = /^([\w$]+)=Module\["([\w$]+)"\]=wasmExports\["[^"]+"\](\.value>>>0)?$/;
const IN_ITS_ASSIGNMENT = 3; // declared, assigned, and the property of `Module`
/** Functions for side modules that draw, play sound, read a screen's events or open a connection: no worker can. */
const OF_WINDOWS = new RegExp(
  "^_?(?:(?:GL|SDL|createContext|getUserMedia|requestFullscreen|setCanvasSize)$|(?:gl|egl|al|alc)[A-Z]|glut|glfw|SDL_|Mix_|" +
    "IMG_|TTF_|emscripten_(?:gl|SDL|websocket|async_(?:wget|load)|\\w*(?:webgl|main_loop|_callback|fullscreen|pointerlock|" +
    "orientation|gamepad|canvas|css_size|animation_frame|worker|vibrate|battery|mouse|visibility|window|screen|" +
    "device_pixel|devicemotion|html5|preload)))|(?:Color|RGBA|zoomSurface)$",
);
const [BEGIN, END] = ["async function _createPyodideModule(moduleArg={}){", "\n;return moduleRtn}"];

/**
 * @param {string} text
 * @param {string} others text of the modules that may read `Module`
 */
export async function shortened(text, others) {
  return withEagerMain(await withoutLibraries(withLateExports(withOneWrapper(withoutUnread(text, others))), others));
}

/**
 * With its one function in parentheses, by which V8 knows that it is called: it parses it once, not twice.
 * @param {string} text
 */
function withEagerMain(text) {
  return replaced(text, [
    [BEGIN, `var _createPyodideModule=(${BEGIN}`],
    [END, `${END});`],
  ]);
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
 * With one module of wasm that wraps all functions of JavaScript at once; their addresses come in the same order. None of
 * them is in the table yet, so that the table is not searched for them: each entry of it would become an object.
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
  const listed = "functionsInTableMap=new WeakMap;updateTableMap(0,wasmTable.length)";
  const before = replaced(text.slice(0, from), [
    [listed, `${listed};addressed.forEach((slot,value)=>functionsInTableMap.set(value,slot))`],
  ]);
  const after = replaced(text.slice(to + end.length), [
    [
      "return addFunction(trampolineInstance.exports.trampoline_call)",
      "return addNew(trampolineInstance.exports.trampoline_call)",
    ],
  ]);
  const addNew =
    "var addressed=new Map;var addNew=value=>{var slot=getEmptyTableSlot();setWasmTableEntry(slot,value);" +
    "addressed.set(value,slot);return slot};";
  return (
    `${before}${addNew}${addFunctions};var reportUndefinedSymbols=()=>{var late=[];for(${loop}` +
    `if(value.sig)late.push([entry,value]);else ${one}${rest}}}}addFunctions(late)};${after}`
  );
}

/**
 * With what the interpreter itself takes of its exports; addresses and names of the other 7,000 are listed when the first side
 * module is loaded or a name is looked up, before any of theirs is defined.
 * @param {string} text
 */
function withLateExports(text) {
  const early =
    "var own={};for(var name in GOT)if(Object.hasOwn(origExports,name))own[name]=origExports[name];" +
    'updateGOT(own);listExports=()=>{listExports=null;mergeLibSymbols(origExports,"main");updateGOT(origExports)};';
  const named =
    'mergeLibSymbols(Object.fromEntries(["__main_argc_argv","open"].filter(name=>Object.hasOwn(wasmExports,name))' +
    '.map(name=>[name,wasmExports[name]])),"main");';
  const loading = "var loadWebAssemblyModule=(binary,flags,libName,localScope,handle)=>{";
  const lookingUp = "function __dlsym_js(handle,symbol,symbolIndex){";
  const copied = "wasmExports=Object.assign({},wasmExports);";
  const converted = [...text.matchAll(/(?<=;wasmExports\[)("[^"]+")\]=makeWrapper/g)].map(([, name]) => name);
  if (converted.length === 0) throw missing('wasmExports["..."]=makeWrapper');
  return replaced(text, [
    ["updateGOT(origExports);", early],
    ['mergeLibSymbols(wasmExports,"main");', named],
    [loading, `var listExports=null;${loading}listExports?.();`],
    [lookingUp, `${lookingUp}listExports?.();`],
    [
      copied,
      `wasmExports=Object.create(wasmExports,Object.fromEntries([${converted}].map(name=>` +
        "[name,{value:wasmExports[name],writable:true}])));",
    ],
  ]);
}

/**
 * Without the functions of `OF_WINDOWS`, what they alone use, and properties of `Module` that nothing reads. The interpreter
 * itself takes addresses of 274 functions that draw, and calls none: they are null. A side module that calls such a
 * function gets the error of one that does not exist.
 * @param {string} text
 * @param {string} others
 */
async function withoutLibraries(text, others) {
  const from = found(text, BEGIN) + BEGIN.length;
  const to = text.lastIndexOf(END);
  if (to < 0) throw missing(END);
  const body = replaced(text.slice(from, to), [
    ["if(!value&&!entry.required)", `if(!value&&(!entry.required||${OF_WINDOWS}.test(symName)))`],
    ["registerPostMainLoop(()=>SDL.audio?.queueNewAudioData?.());", ""],
    ['if(typeof Browser!="undefined")Browser.init();', ""],
    ["if(preloadPlugin){Browser.init();", "if(preloadPlugin){"],
    ["FS.filesystems={MEMFS,IDBFS,NODEFS,WORKERFS,PROXYFS}", "FS.filesystems={MEMFS,WORKERFS}"],
    ["IDBFS.quit();", ""],
    ["if(ENVIRONMENT_IS_NODE){NODEFS.staticInit()}", ""],
  ]);
  const imports = "var wasmImports={";
  const listed = found(body, imports) + imports.length;
  const end = body.indexOf("}", listed);
  const kept = body
    .slice(listed, end)
    .split(",")
    .filter((entry) => !OF_WINDOWS.test(entry));
  const signed = new Set(kept.map((entry) => entry.split(":").at(-1)));
  const reduced = `${body.slice(0, listed)}${kept.join(",")}${body.slice(end)}`
    .replace(/var ([\w$]+)=Browser\.\1;/g, "")
    .replace(/(?<=[;}])([\w$]+)\.sig="\w*";/g, (statement, name) => (signed.has(name) ? statement : ""))
    .replace(/\beval\(/g, "globalThis.eval("); // refused by each policy; by its bare name it could read anything
  const { code } = await transform(withoutProperties(reduced, others), {
    format: "esm",
    treeShaking: true,
    minifyWhitespace: true,
  });
  return `${text.slice(0, from)}${code.trimEnd()}${text.slice(to)}`;
}

/**
 * @param {string} body
 * @param {string} others
 */
function withoutProperties(body, others) {
  const assigned = /(?<=[;}])Module\["([\w$]+)"\]=\1;/g;
  const left = body.replace(assigned, "");
  const read = new Set(`${left}${others}`.match(/(?<=[."'`])[\w$]+/g));
  return body.replace(assigned, (statement, name) => (read.has(name) && !OF_WINDOWS.test(name) ? statement : ""));
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
    const known = (/** @type {Function} */ value) => addressed.get(value) ?? functionsInTableMap?.get(value);
    const wrapped = [...new Set(entries.map(([, value]) => value))].filter((value) => !known(value));
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
        addressed.set(value, slot);
      });
    }
    for (const [entry, value] of entries) entry.value = known(value);
  },
);

/**
 * @param {string} text
 * @param {Array<[string, string]>} parts each with the one that takes its place
 */
function replaced(text, parts) {
  return parts.reduce((left, [part, other]) => (found(left, part), left.replace(part, () => other)), text);
}

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
