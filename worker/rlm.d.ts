// Types of the public face, for TypeScript users of worker/rlm.js.
import type { Event, Fault, Json, LimitOptions, ModelUsage } from "./wire/protocol.js";
import type {
  OnEgress,
  RLMChild,
  RLMDestination,
  RLMEngine,
  RLMFunction,
  RLMKeptRun,
  RLMProvider,
} from "./wire/types.d.ts";

export type { Event, Fault, Json, LimitOptions, ModelUsage, Span } from "./wire/protocol.js";
export type {
  RLMChild,
  RLMDestination,
  RLMEgressAnswer,
  RLMEgressRequest,
  RLMEngine,
  RLMFunction,
  RLMKeptRun,
  RLMProvider,
  RLMProviderCall,
  RLMProviderFacts,
  RLMProviderReply,
} from "./wire/types.d.ts";

export type StoppedBy =
  | "final_answer"
  | "max_iterations"
  | "max_sub_calls"
  | "max_input_tokens"
  | "max_output_tokens"
  | "max_cost"
  | "max_seconds"
  | "max_errors"
  | "denied"
  | "cancelled"
  | "provider_error"
  | "worker_lost";

/** A tool under its name in model code: a JSON value or a function, with its line in the prompt. */
export interface RLMTool {
  tool: Json | RLMJsonText | RLMFunction;
  description?: string;
}

export type RLMTools = Record<string, RLMTool | Json | RLMJsonText | RLMFunction>;

export interface RLMCodeBlock {
  code: string;
  /** stdout and stderr in the order written; head and tail when longer than maxOutputChars. */
  stdout: string;
  /** `repr` of the last expression's value. */
  value: string | null;
  /** Traceback of the exception that ended the block. */
  error: string | null;
  seconds: number;
}

export interface RLMIteration {
  /** From 0. */
  index: number;
  /** The root model's reply, whole. */
  response: string;
  codeBlocks: RLMCodeBlock[];
}

/** Text that left the tab. */
export interface RLMEgress {
  /** Model calls that left, and those that were denied. */
  calls: number;
  denied: number;
  /** Of those that left, the ones that left ahead and whose reply no code asked for; see `overlap`. */
  unused: number;
  /** Of the texts of all calls, and in bytes of their images; one that is sent twice counts twice. */
  bytes: number;
  chars: number;
  /** Images that left: their number, bytes, and estimated tokens. */
  images: number;
  imageBytes: number;
  imageTokens: number;
  /** By destination. */
  destinations: RLMDestinationTotal[];
  /** Characters of the context that left, each counted once, and those that there are. */
  contextChars: number;
  contextSize: number;
  /** The one by the other; null without a context. */
  share: number | null;
  /** Contexts that were not searched for, and why. */
  unsearched: string[];
}

/** Calls to one destination. */
export interface RLMDestinationTotal extends RLMDestination {
  calls: number;
  bytes: number;
  chars: number;
  images: number;
  imageBytes: number;
  imageTokens: number;
  /** Characters of the context that left for it, each counted once. */
  contextChars: number;
}

/** Options of a model's calls; one that is left out is the provider's default. */
export interface RLMModelOptions {
  /** From 0 to 2. */
  temperature?: number | null;
  /** Above 0 and up to 1. */
  topP?: number | null;
  /** Most tokens of one reply. */
  maxOutputTokens?: number | null;
  /** Which of them a model takes is its vendor's matter. */
  reasoningEffort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null;
  seed?: number | null;
}

/** Options of `RLM`; the limits among them are `LimitOptions`. */
export interface RLMOptions extends LimitOptions {
  /**
   * Where model calls are POSTed. Default "/api/rlm". Those to the page's own origin go over one WebSocket, `<endpoint>/socket`, where its
   * server answers there.
   */
  endpoint?: string;
  /**
   * Answers model calls in this page, in place of an endpoint: no server is needed. Limits, the record of what leaves,
   * `onEgress`, the log, retries and replay hold as with an endpoint. See `providers/` for those of vendors.
   */
  provider?: RLMProvider | null;
  /** Token of the endpoint's server, sent as `Authorization: Bearer`. Whoever can read the page can read it. */
  token?: string | null;
  /** Further headers of each request to the endpoint, for a gateway in front of it. Its CORS must allow them. With them no WebSocket is used. */
  headers?: Record<string, string>;
  /** Folder of manifest.json and the files that it names. Default: "assets/" beside this module. */
  assets?: string;
  /**
   * Where workers live. "worker": of this page's own, contained by the policy that their script is served with.
   * "frame": each in a sandboxed frame, contained by the frame's policy, for pages whose headers are not yours.
   * Default "auto": a frame where the script's policy has no sandbox, or it is of another origin.
   */
  host?: "auto" | "worker" | "frame";
  /** Least containment at which model code may run. Default "network"; "weak" must be asked for. */
  containment?: "full" | "network" | "weak";
  /** Model of the iterations, as `provider:name`. Default: the server's. */
  model?: string | null;
  /** Model of sub-calls. Default: the same as `model`. */
  subModel?: string | null;
  /**
   * Models that model code may name beside `model` and `subModel`. Another is refused in the REPL, with the list, and
   * nothing is sent. Default: none.
   */
  allowedModels?: string[] | null;
  /**
   * Whether `maxCost` may stand where the price of a model is not known: such calls count for nothing in it. Default
   * false: the run is refused, or ends after the first reply of unknown cost.
   */
  allowUnknownPrice?: boolean | null;
  /** Options of the root model's calls. The server maps them to each provider, and refuses by name one that it has not. */
  modelOptions?: RLMModelOptions | null;
  /** Options of sub-calls. Default: the same as `modelOptions`, or none where `subModel` is another model. */
  subModelOptions?: RLMModelOptions | null;
  /**
   * Whether the log holds the bytes of images that model code showed to sub-models; it holds their digests in any case.
   * Default false.
   */
  keepImages?: boolean | null;
  /**
   * Whether sub-calls leave while the root's reply that makes them is still being written, as far as their prompts can be
   * computed from the finished statements. Those that the whole code does not make are paid for, and told in the log and
   * in the result's `egress.unused`. It has no effect where `onEgress` is set. Default false.
   */
  overlap?: boolean | null;
  /** Text of the system prompt in place of the built-in one; the REPL's reference is added. */
  systemPrompt?: string | null;
  /** Values and functions that model code finds under their names. */
  tools?: RLMTools;
  /** Tools of child runs. Default: the same. */
  subTools?: RLMTools | null;
  /**
   * Packages that model code may import beside the built-in ones, of those that `pyodide-rlm packages add` has put beside
   * the server, or that `embed` has copied; what they need comes along. Default: none.
   */
  packages?: string[] | null;
  /** Called after each iteration of the root run. */
  onIteration?: (iteration: RLMIteration) => void;
  /** Called for each sub-call, before its request leaves. */
  onSubLLMCall?: (call: { prompt: string; model: string | null }) => void;
  /**
   * Called with each event of the run. Three types are for watching only and not in the log: `output`, what a block
   * prints, and `reply_written` and `reasoning_written`, the reply and the reasoning of the root model as they come, at
   * most every 50 ms: `text` follows the first `at` characters.
   */
  onEvent?: (event: Event) => void;
  /**
   * Decides before each request leaves, one after another. A denied one raises SubCallError in model code with the reason;
   * a denied call of the root model ends the run. A function that fails, or answers something else, has denied.
   */
  onEgress?: OnEgress;
  /**
   * Keep the log in this browser while the run lasts, so that a reloaded tab can resume it. A name, of 1 to 64 letters,
   * digits, ".", "_", ":" and "-", is that of the journal: a new run under it asks anew, and replaces one that did not end.
   * true: a name is made up. In a session each question has its own journal, with a number behind the name from the second
   * on. Default: not. See `listRuns`.
   */
  journal?: boolean | string | null;
  /**
   * Keep the log, and a context that `keepContext` keeps, after the run's end as well: `listRuns` lists them.
   * Default false.
   */
  keepLog?: boolean | null;
  /**
   * Keep the context as well, in the origin's private files, until the run ends, or with `keepLog` until its log is
   * deleted: a resume needs no context then.
   * Default false.
   */
  keepContext?: boolean | null;
}

/** A quote that bears out an answer, and its place in the context. */
export interface RLMEvidence {
  /** The model's words. */
  quote: string;
  /** Name of the value or file that holds it, or the one that the model named; null: neither. */
  source: string | null;
  /**
   * "found", also where white space, division of words or typographic marks differ; "elsewhere": in another source than
   * the model named; "stitched": its parts stand apart; "changed": something close to it stands there; "missing".
   */
  status: "found" | "elsewhere" | "stitched" | "changed" | "missing";
  /** Position in the source's text, in characters as Python counts them; null where it was not found. */
  start: number | null;
  end: number | null;
  /** The same in bytes of UTF-8, for text and text files. */
  byteStart: number | null;
  byteEnd: number | null;
  /** From 1. */
  line: number | null;
  /** Page of a PDF, or slide, from 1. */
  page: number | null;
  /** Sheet of a workbook. */
  sheet: string | null;
  /** How the source differs from the quote, or where its parts stand. */
  difference: string | null;
  /** "host": this page compared the place with the text that it holds; "worker": the text is a document's. */
  checkedBy: "host" | "worker";
}

/** A number of the answer, [start, end) in characters as Python counts them. */
export interface RLMNumber {
  text: string;
  start: number;
  end: number;
}

/** What the log alone says about an answer; no model is asked. */
export interface RLMChecks {
  /**
   * Numbers that the model wrote, and that occur in no output of code, no reply to a sub-call, no quote, and not in the
   * question; rounding, units and separators are allowed for. At most 100.
   */
  numbers: RLMNumber[];
  /** Whether a quote of the answer stands in the context, if not word for word. */
  supported: boolean;
}

export interface RLMResult {
  /** The final answer, or the best partial one when stoppedBy is not "final_answer"; may be empty. */
  answer: string;
  /** The answer as a value that fits the run's schema; null without one, and where the run ended without such a value. */
  value: Json;
  /** The same as JSON text, with numbers and the order of keys as Python wrote them. */
  valueJson: string | null;
  /** Quotes that the model gave with its answer, each looked for in the context; `[1]` in the answer is the first. */
  evidence: RLMEvidence[];
  /** Numbers that nobody computed, and whether any quote supports the answer. */
  checks: RLMChecks;
  iterations: number;
  /** Milliseconds, the worker's start included. */
  totalTime: number;
  /** Model -> calls, tokens and cost (null: unknown) of the whole tree of runs. */
  usage: Record<string, ModelUsage>;
  /** Place in the tree ("" is the root, "0.2" a child of a child) -> model -> usage of that run alone. */
  usageByPath: Record<string, Record<string, ModelUsage>>;
  /**
   * Of `usage`, the part that was answered from a record and paid earlier: by the log of a run that was resumed, replayed
   * or forked, or by the server, which had kept the reply. The rest was paid now.
   */
  usageFromRecord: Record<string, ModelUsage>;
  /** Of `usage`, the summaries of a conversation that filled the model's window; they are no sub-calls. */
  usageOfCompaction: Record<string, ModelUsage>;
  /** Text that left the tab; in a session, of all its questions so far. */
  egress: RLMEgress;
  stoppedBy: StoppedBy;
  /** One sentence when the run did not end with a final answer. */
  detail: string;
  /** The failure when stoppedBy is "provider_error": `{type, status, retryable, upstream}`. */
  fault: Fault | null;
  /** The log, one JSON object a line. */
  trajectory: () => string;
}

/** The text of a trajectory that a run is made from, in one of three ways, over the context of the recorded run. */
export interface FromLog {
  /** Continue a run that did not end; one without an event yet begins anew. */
  resume?: string;
  /** Answer the same question from the log, and ask no model. The first difference rejects, with its place. */
  replay?: string;
  /**
   * Answer the iterations before `iteration` (from 1) from the log, and continue live, with this question and model. With
   * `code`, Python of yours or a list of blocks of it, the iteration runs that in place of a reply, and the next one is live.
   */
  fork?: { log: string; iteration: number; code?: string | string[] };
}

export interface RLMRunOptions extends FromLog {
  /** A file is mounted at its `webkitRelativePath`, or at its name, which may be a path too: so a folder is its files. */
  context?: Json | RLMJsonText | ArrayBuffer | ArrayBufferView | Blob | Blob[];
  /** JSON Schema (draft 2020-12) that the answer's value must fit; where it does not, the model is asked for a correction. */
  schema?: { [keyword: string]: Json } | true;
  /**
   * One call over the whole context in place of the loop, where it fits into the root model's window (`windowTokens`): for
   * small contexts cheaper, and often better on easy questions. Ledger, limits, `onEgress`, evidence and log are those of any
   * run. A value that does not fit `schema` is asked for once more. Default false.
   */
  direct?: boolean;
  /** Stops the whole run. */
  signal?: AbortSignal;
  /** Called for each child run, wherever in the tree. */
  onChild?: (child: RLMChild) => void;
  /**
   * Name of the run in the idempotency keys of its calls: up to 64 letters, digits, ".", "_", ":" and "-". A run that is
   * begun anew under the name gets from the server the replies that it kept, and pays for the others alone. A resumed run
   * keeps the name in its log.
   */
  idempotencyKey?: string;
}

export class RLM {
  /** Throws a ConfigError, naming the option, when one is impossible. */
  constructor(options?: RLMOptions);
  /**
   * Answer `prompt` over `context`: text, a JSON value, bytes, a file or files.
   * Rejects with a ConfigError or a ChannelError when nothing could run, with a ReplayError when a run that is made from a
   * log does not go as the recorded one; each other ending has a result.
   */
  run(prompt: string, options?: RLMRunOptions): Promise<RLMResult>;
  /**
   * Several questions over one REPL: variables, contexts and conversations live on from one to the next. With the `earlier`
   * questions of a session that ended, its tab reloaded, it continues after them: before the next question a worker
   * rebuilds their state, answered from their logs, and no model is called for them.
   */
  session(options?: { earlier?: readonly RLMEarlierQuestion[] }): RLMSession;
}

/** A question or a console entry of a session that ended; all of them are needed, the first one first. */
export interface RLMEarlierQuestion {
  /** Its trajectory. */
  log: string;
  /** Its context, the same as before; not for a question that was asked without one. */
  context?: RLMRunOptions["context"];
  /** Name of its kept run: the context that `keepContext` kept is taken where none is given. See `listRuns`. */
  journal?: string | null;
}

export interface RLMSession {
  /**
   * As `RLM.run`, one question at a time; without a context the one before stays. In the REPL `context_0`, `context_1`
   * and so on are the contexts so far, and `history_0`, ... the conversations. Where its worker is lost, a fresh one
   * goes through the earlier questions again, answered from their record, less the blocks that were stopped or killed
   * their worker. `resume` continues a question that did not end, from its log. Rejects with a ChannelError after `close`,
   * and with a ConfigError where a context is not the one that an earlier question had.
   */
  run(
    prompt: string,
    options?: Omit<RLMRunOptions, Exclude<keyof FromLog, "resume"> | "idempotencyKey">,
  ): Promise<RLMResult>;
  /**
   * Run Python of your own in the REPL, between two questions: no model is called, nothing is paid, and later questions find
   * its variables. `llm_query` and the like, and `FINAL`, raise there. A stop ends the code alone. Where its worker is lost,
   * a fresh one goes through the earlier questions and entries again, less those that were stopped or killed it. With
   * `journal` an entry is kept as a question is. Rejects with a ConfigError while the session is at work.
   */
  execute(code: string, options?: { signal?: AbortSignal }): Promise<RLMExecution>;
  /** The context and the variables of the REPL, at most 500, the newest last. Rejects as `execute` does. */
  variables(): Promise<RLMVariable[]>;
  /** End it, and its worker. */
  close(): void;
}

/** The outcome of a console entry; a fault of the code is in `error`. */
export interface RLMExecution {
  /** Standard output and error in the order written; head and tail when it was over the cap. */
  stdout: string;
  stdoutChars: number;
  /** `repr` of the last expression's value. */
  value: string | null;
  /** Traceback of the exception that ended it, or why the interpreter did. */
  error: string | null;
  seconds: number;
  /** Values that it displayed, as the JSON text of a list. */
  shown: string | null;
  isStopped: boolean;
  /** Those that there are now; null where the interpreter was ended. */
  variables: RLMVariable[] | null;
  /** Its log, for `earlier`. */
  trajectory: () => string;
}

/** A variable of the REPL: `size` is words, "" where it has none; `preview` is the beginning of its `repr`. */
export interface RLMVariable {
  name: string;
  type: string;
  size: string;
  preview: string;
}

/**
 * A JSON value as its text: a context, a tool's value or a tool's result that Python parses as it is, with its numbers
 * (9007199254740993, 1.0) and the order of its keys, which JavaScript changes. A Blob is UTF-8, and for a context only.
 */
export function jsonText(text: string | Blob): RLMJsonText;

/** Made by `jsonText`. */
export interface RLMJsonText {
  readonly text: string | Blob;
}

/** The evidence of a `run_finished` event in the spelling of a result. */
export function evidenceOf(evidence: (Event & { type: "run_finished" })["evidence"][number]): RLMEvidence;

/** A quote to look for; `source`, the name of the value or file that should hold it, may be left out. */
export interface RLMQuote {
  quote: string;
  source?: string | null;
}

/** A context whose sources are looked into, and where workers live, as in `RLMOptions` and `RLMRunOptions`. */
export interface RLMSourceOptions extends Pick<RLMOptions, "assets" | "host" | "containment"> {
  context: RLMRunOptions["context"];
  signal?: AbortSignal;
}

/** The place of a quote in a document: a page of a PDF as a picture, or the text around it. */
export interface RLMSourceView {
  /** PNG; null: text. */
  picture: Blob | null;
  /** Lines of the quote on the picture: left, top, width and height, as parts of the picture's. */
  marks: number[][];
  before: string;
  quoted: string;
  after: string;
}

/**
 * Look for quotes in a context, as a run does with those of its answer; in a contained worker, without any model. At most
 * 200 quotes. Rejects with a ConfigError where it cannot.
 */
export function checkEvidence(quotes: RLMQuote[], options: RLMSourceOptions): Promise<RLMEvidence[]>;

/**
 * The place of a quote in a document of the context, drawn or read in a contained worker. Rejects with a ConfigError where
 * the source is not there, or has no such place.
 */
export function shownSource(
  item: Pick<RLMEvidence, "quote" | "source" | "start" | "end" | "page">,
  options: RLMSourceOptions,
): Promise<RLMSourceView>;

/** Where workers live, and a stop, for reading a file without a run. */
export type RLMReadingOptions = Omit<RLMSourceOptions, "context">;

/** The text of a file, as `read` gives it in the REPL. */
export interface RLMSourceText {
  /** With marks such as `[page 3]`; cut where it is very long. */
  text: string;
  /** Characters of all of it, as Python counts them. */
  chars: number;
  /** Pages of a PDF, else 0. */
  pages: number;
  /** Why it has no text (a scan, a kind that nobody reads), else "". */
  reason: string;
}

/** A table: `rows` lines of `text`, with cells apart by tabs, of the `of` that there are. */
export interface RLMTable {
  kind: "table";
  title: string;
  columns: string[];
  /** Within a cell, a backslash, tab or line end is `\\`, `\t`, `\n` or `\r`. */
  text: string;
  rows: number;
  of: number;
}

/** The text of a file, read in a contained worker. Rejects with a ConfigError where it cannot run. */
export function sourceText(file: Blob, options?: RLMReadingOptions): Promise<RLMSourceText>;

/** The tables of a file (sheets, a CSV, a database), read in a contained worker. Rejects with a ConfigError where it has none. */
export function sourceTables(file: Blob, options?: RLMReadingOptions): Promise<RLMTable[]>;

/** Boot a worker as a run would, without a run or a model call, and end it; never rejects for what this engine lacks. */
export function checkEngine(options?: Pick<RLMOptions, "assets" | "host">): Promise<RLMEngine>;

/** The runs that this browser keeps in journals: they did not end, or `keepLog` kept them. The newest first. */
export function listRuns(): Promise<RLMKeptRun[]>;
/** The log of a kept run so far, for `resume`. Rejects with a ConfigError where no run has the name. */
export function readRun(name: string): Promise<string>;
/** Drop a kept run, its log and its context. Rejects with a ConfigError where none has the name, or a tab drives it. */
export function deleteRun(name: string): Promise<void>;

/**
 * Boot a worker for a run that comes soon, while a person still types; a fault is left to that run.
 * @param assets URL of the folder of the assets, as of the option `assets`
 */
export function expectRun(assets: string): Promise<void>;
/**
 * Boot the first worker now, before its run is known.
 * @param assets URL of the folder of the assets, as of the option `assets`
 */
export function openPool(
  assets: string,
  options: {
    /**
     * The snapshot that the page keeps itself, made by this build in this engine: workers run it; a promise of `null`: none
     * is kept yet. `null`: nothing of this page is kept, which takes the least memory. By default the page's cache keeps it.
     */
    snapshot?: Promise<Blob | null> | null;
    /** Whether a next worker is booted beside each run. */
    hasSpares: boolean;
  },
): Promise<void>;
/** The snapshot to keep after `openPool`, made now if need be; `null`: workers do not start from it. */
export function keepableSnapshot(assets: string): Promise<Blob | null>;
/**
 * Files of a folder of assets that the page brings itself, where no server hands them out; they boot a worker in a frame.
 * @param assets URL of the folder, of any scheme, with a slash at its end, as of the option `assets`
 * @param read a file by its path in the folder; one that is not there is a response of status 404
 */
export function provideAssets(assets: string, read: (path: string) => Promise<Response>): void;
