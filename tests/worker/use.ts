// The public types in use, as a TypeScript user writes them: tsc checks this file, nothing runs it.
import {
  checkEvidence,
  shownSource,
  sourceTables,
  sourceText,
  RLM,
  type RLMChild,
  type RLMIteration,
  type RLMOptions,
  type RLMResult,
  type StoppedBy,
  type RLMProvider,
} from "../../worker/rlm.js";
import { RLMAsk } from "../../worker/ask.js";
import { anthropic } from "../../worker/providers/anthropic.js";
import { openaiChat } from "../../worker/providers/openai_chat.js";
import { hasPromptApi, promptApi } from "../../worker/providers/prompt_api.js";
import { standIn } from "../../worker/providers/stand_in.js";
import { wllama, type WllamaEngine } from "../../worker/providers/wllama.js";

const provider: RLMProvider = Object.assign(
  async ({ messages, signal, onDelta }: Parameters<RLMProvider>[0]) => {
    signal.throwIfAborted();
    onDelta("");
    return { text: messages.map(({ content }) => content).join(), usage: { cost: 0 } };
  },
  { label: "an echo", concurrency: 2 },
);
const adapters: RLMProvider[] = [
  provider,
  async () => ({ text: "A", finishReason: "stop" }),
  openaiChat({ baseURL: "http://127.0.0.1:11434/v1", model: "qwen3" }),
  anthropic({ apiKey: "sk", takesImages: false }),
  standIn({ host: "frame" }),
];
if (await hasPromptApi()) adapters.push(promptApi());
for (const one of adapters) new RLM({ provider: one, model: "m" });

const options: RLMOptions = {
  model: "openai:gpt-5-mini",
  subModel: null,
  host: "frame",
  maxIterations: 20,
  maxOutputChars: 20_000,
  maxTimeout: 60_000,
  maxErrors: 5,
  maxSubCalls: 100,
  maxDepth: 3,
  maxConcurrency: 4,
  maxInputTokens: 1_000_000,
  maxOutputTokens: 100_000,
  maxCost: 0.5,
  maxPromptChars: 400_000,
  maxContextChars: 50_000,
  windowTokens: 128_000,
  compactAt: 0.85,
  tools: {
    limit: 5,
    prices: { tool: { tea: 3 }, description: "prices in EUR" },
    add: (a: number, b: number) => a + b,
    look: {
      async tool(place: string) {
        return { place, given: Object.keys(this.kwargs) };
      },
      description: "looks there",
    },
  },
  subTools: {},
  onIteration: (iteration: RLMIteration) => console.log(iteration.index + 1, iteration.response),
  onSubLLMCall: ({ prompt, model }) => console.log(prompt.length, model ?? "default"),
  onEvent: (event) => {
    if (event.type === "reply_written") console.log(event.call, event.at, event.text.length);
    else console.log(event.type, event.path, event.type === "tool_called" ? event.name : "");
  },
  onEgress: async ({ contextChars, price, texts }) => {
    if (texts.some((text) => text.includes("IBAN"))) return { deny: "no bank details" };
    return contextChars.added < 10_000 && (price ?? 0) < 1 ? "allow" : "deny";
  },
};

const shown = (result: RLMResult): StoppedBy => {
  const costs: Array<number | null> = Object.values(result.usage).map(({ cost }) => cost);
  console.log(result.answer, result.totalTime, costs, result.trajectory());
  console.log(result.usageByPath["0.2"]?.m?.cached_tokens);
  console.log(result.fault?.type, result.fault?.status, result.fault?.retryable, result.fault?.upstream);
  console.log(result.egress.bytes, result.egress.share ?? "no context");
  return result.stoppedBy;
};

export const inTab = (engine: WllamaEngine, file: File): RLMProvider =>
  wllama({ engine, model: file, load: { n_threads: 4 } });

export const main = async (file: File): Promise<void> => {
  const rlm = new RLM(options);
  shown(await rlm.run("Who?", { context: [file], signal: AbortSignal.timeout(1_000) }));
  const onChild = (child: RLMChild) => child.path.length > 2 && child.stop();
  shown(await rlm.run("Who?", { onChild }));
  const { trajectory } = await rlm.run("Who?", { context: file });
  shown(await rlm.run("Who?", { context: file, replay: trajectory() }));
  shown(await rlm.run("And why?", { context: file, fork: { log: trajectory(), iteration: 2 } }));
  const session = rlm.session();
  shown(await session.run("Who?", { context: { a: [1, null] } }));
  shown(await session.run("And why?"));
  session.close();
  const [item] = await checkEvidence([{ quote: "by Ada" }], { context: [file] });
  const [table] = await sourceTables(file);
  console.log((await sourceText(file)).pages, table?.columns);
  if (item?.page) console.log((await shownSource(item, { context: [file] })).picture?.size, item.checkedBy);
  // @ts-expect-error an option that does not exist
  new RLM({ apiKey: "x" });
  // @ts-expect-error a question is text
  await rlm.run(7);
};

const element = document.querySelector("rlm-ask") ?? new RLMAsk();
element.provider = provider;
element.options = { maxCost: 1, onEgress: () => "allow" };
element.addEventListener("rlm-event", ({ detail }) => console.log(detail.type));
element.addEventListener("rlm-error", ({ detail }) => console.log(detail.message));
shown(await element.ask("Who?"));
// @ts-expect-error a context is set as a property, for each question
await element.ask("Who?", "the text");
