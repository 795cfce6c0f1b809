import { Wllama } from "@wllama/wllama";
import { RLM } from "pyodide-rlm";
import { wllama } from "pyodide-rlm/providers/wllama";

export function inTab(file: File): RLM {
  const engine = new Wllama({ default: "/wllama.wasm" });
  return new RLM({ provider: wllama({ engine, model: file, windowTokens: 8_192 }) });
}
