// @ts-check
/**
 * Continue in Python: the program that asks the same question with the same options. In: the first event of a log, and the limits that there are. Out:
 * Python text. Only options that are not the default are in it; a context that was typed is read from a file.
 */

/** @typedef {import("./types/run.js").EventOf<"run_started">} RunStarted */

const MOST_FILES = 20;

/**
 * @param {RunStarted} started
 * @param {Readonly<Record<string, import("/rlm/wire/protocol.js").LimitFacts>>} facts
 * @returns {string}
 */
export function pythonOf(
  { question, contexts, model, sub_model: sub, limits, model_options, sub_model_options },
  facts,
) {
  const options = [
    ...(model ? [`model=${literal(model)}`] : []),
    ...(sub && sub !== model ? [`sub_model=${literal(sub)}`] : []),
    ...limitsOf(limits, facts),
    ...(Object.keys(model_options).length > 0 ? [`model_options=${literal(model_options)}`] : []),
    ...(Object.keys(sub_model_options).length > 0 ? [`sub_model_options=${literal(sub_model_options)}`] : []),
  ];
  const context = contextOf(contexts);
  return `from pathlib import Path

from rlm_server.headless import BlockingBrowserRLM

with BlockingBrowserRLM(${listed(options)}) as rlm, rlm.session() as session:
    result = session.run(${literal(question)}${context && `, context=${context}`})
    print(result.answer)
    # The next question, over the same variables: session.run("...")
`;
}

/** @param {RunStarted["limits"]} limits @param {Readonly<Record<string, import("/rlm/wire/protocol.js").LimitFacts>>} facts */
function limitsOf(limits, facts) {
  return Object.values(facts).flatMap(({ name, option, default: usual }) => {
    const value = limits[name];
    const isUsual = value === undefined || value === null || value === usual;
    return isUsual ? [] : [`${snake(option)}=${literal(value)}`];
  });
}

/** @param {RunStarted["contexts"]} contexts */
function contextOf(contexts) {
  const [first] = contexts;
  if (first === undefined) return "";
  if (contexts.length === 1 && first.name === "context")
    return first.type === "str" ? 'Path("context.txt").read_text()' : 'Path("context.json")';
  const paths = contexts.slice(0, MOST_FILES).map(({ name }) => `Path(${literal(String(name))})`);
  const more = contexts.length > MOST_FILES ? ["..."] : [];
  return paths.length === 1 ? String(paths[0]) : `[${[...paths, ...more].join(", ")}]`;
}

/** @param {readonly string[]} options */
function listed(options) {
  const line = options.join(", ");
  return line.length < 60 ? line : `\n    ${options.join(",\n    ")},\n`;
}

/** A JSON value as Python has it. @param {unknown} value @returns {string} */
function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value).map(([key, item]) => `${literal(key)}: ${literal(item)}`).join(", ")}}`; // biome-ignore format: one line
  return JSON.stringify(value);
}

/** @param {string} name */
function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
