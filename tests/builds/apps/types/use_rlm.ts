import { useCallback, useState } from "react";
import { RLM, type RLMOptions, type RLMResult, type RLMRunOptions } from "pyodide-rlm";

/** `options` should be one object, made outside the component or by `useMemo`. */
export function useRLM(options: RLMOptions) {
  const [result, setResult] = useState<RLMResult | null>(null);
  const ask = useCallback(
    async (question: string, run: RLMRunOptions = {}) => setResult(await new RLM(options).run(question, run)),
    [options],
  );
  return { result, ask };
}
