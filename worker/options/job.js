// @ts-check
// Job: a question and its context, as a caller passes them -> the job that the worker is started with.
//
// In: checked settings, question, context and schema. Out: a job of plain data, or a ConfigError that names the argument;
// and the changes of a context on its way, as notices. Nothing runs here.

import { readBeginnings } from "../egress/file_bytes.js";
import { configError } from "../wire/errors.js";
import { JsonText, checkText, textOfJson } from "../wire/json.js";
import { shown } from "./shown_value.js";

/**
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 */

const LONE_SURROGATES = /\p{Surrogate}/gu; // with the flag u a pair is one character, and no match

/**
 * @param {Settings} settings
 * @param {unknown} prompt
 * @param {unknown} context
 * @param {Pick<import("../rlm.d.ts").RLMRunOptions, "schema" | "direct">} [options]
 * @returns {Promise<StartJob>}
 */
export async function jobOf(settings, prompt, context, { schema, direct = false } = {}) {
  if (typeof prompt !== "string" || prompt.trim() === "")
    throw configError(`the question must be text that is not empty, not ${shown(prompt)}.`);
  const { model, subModel, modelOptions, subModelOptions, systemPrompt, tools, subTools } = settings;
  return {
    question: prompt,
    model,
    sub_model: subModel,
    model_options: modelOptions,
    sub_model_options: subModelOptions,
    sub_window_tokens: null,
    sub_images: false,
    system_prompt: systemPrompt,
    limits: settings.limits,
    tools,
    sub_tools: subTools,
    packages: [], // filled in by rlm.js, which may ask the server
    contexts: context instanceof JsonText ? [await jsonContext(context)] : contextsOf(context),
    path: [],
    session: null,
    past: [],
    schema: schema === undefined ? null : JSON.parse(textOfJson(schema, "schema")),
    direct,
    console: false,
  };
}

/**
 * @param {unknown} context
 * @returns {JobContext[]}
 */
function contextsOf(context) {
  if (context === undefined || context === null) return [];
  if (typeof context === "string") return [encoded("text", context)];
  if (context instanceof Blob) return filesOf([context]);
  if (Array.isArray(context) && context.length > 0 && context.every((item) => item instanceof Blob))
    return filesOf(context);
  const bytes = bytesOf(context);
  if (bytes) return [{ name: "context", type: "bytes", data: bytes }];
  return [encoded("json", textOfJson(context, "context"))];
}

/**
 * Changes of a context on its way, as sentences.
 * @param {unknown} context
 */
export function noticesOf(context) {
  const lone = typeof context === "string" ? (context.match(LONE_SURROGATES)?.length ?? 0) : 0;
  if (lone === 0) return [];
  const units = lone === 1 ? "1 lone surrogate, half of a character" : `${lone} lone surrogates, halves of characters`;
  return [`the context holds ${units}, which UTF-8 has not: in the REPL each is U+FFFD.`];
}

/**
 * @param {JsonText} jsonText
 * @returns {Promise<JobContext>}
 */
async function jsonContext({ text }) {
  const whole = typeof text === "string" ? text : await text.text();
  checkText(whole, "the context");
  return encoded("json", whole);
}

/**
 * @param {"text" | "json"} type
 * @param {string} text
 * @returns {JobContext}
 */
function encoded(type, text) {
  return {
    name: "context",
    type,
    data: new TextEncoder().encode(text).buffer,
  };
}

/**
 * Make sure that the job's files are still there: one that was changed or deleted since it was chosen cannot be read.
 * @param {StartJob} job
 */
export async function checkReadable({ contexts }) {
  await readBeginnings(contexts, (name, error) =>
    configError(`the file "${name}" cannot be read (${error.name}): it was changed or deleted. Choose it again.`),
  );
}

/**
 * A copy: it is transferred, and the caller keeps the original.
 * @param {unknown} value
 */
function bytesOf(value) {
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (!ArrayBuffer.isView(value)) return null;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice().buffer;
}

/**
 * @param {Blob[]} files
 * @returns {JobContext[]}
 */
function filesOf(files) {
  const taken = new Set();
  return files.map((data, index) => {
    const name = freeName(pathOf(data) || `file-${index + 1}`, taken);
    taken.add(name);
    return { name, type: "file", data };
  });
}

/**
 * The file's path below the mount point: no empty, `.` or `..` part.
 * @param {Blob} file
 */
function pathOf(file) {
  const path = file instanceof File ? file.webkitRelativePath || file.name : "";
  return path
    .split(/[/\\]/)
    .filter((part) => !["", ".", ".."].includes(part))
    .join("/");
}

/**
 * `name`, or `name (2)` and so on when it is taken.
 * @param {string} name
 * @param {Set<string>} taken
 */
function freeName(name, taken) {
  const [, stem, suffix] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^./]*)?$/s.exec(name));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${stem} (${number})${suffix ?? ""}`;
  return free;
}
