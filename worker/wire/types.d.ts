// Types: values that pass between the rooms of the host, so that no room needs another one's types.
//
// A room's own types stay in it; a type stands here if two rooms read it, or if it is part of the public face (`RLM...`).

import type {
  Ack,
  CallsAhead,
  CallStarted,
  CompleteRequest,
  Event,
  Fault,
  Heartbeat,
  Json,
  ModelUsage,
  PastBlock,
  ReplyMeta,
  ReplyPart,
  Request,
  RequestedCall,
  Span,
  WireError,
} from "./protocol.js";

// ------------------------------------------------------------------------------------------------------------ channel

/**
 * The worker's end. `request` and `next` return a state, or a promise of one on the transport without shared memory.
 * After CHUNK, LAST or ERROR `take` gives the bytes and `text` the same as text, unless they are no UTF-8; after CHUNK
 * `next` asks for the following ones.
 */
export interface WaitingEnd<S> {
  /** With the bytes beside the body. */
  request: (body: string, ...data: Uint8Array<ArrayBuffer>[]) => S;
  next: () => S;
  take: () => Uint8Array<ArrayBuffer>;
  text: () => string | undefined;
  /** LAST when the time is over, INTERRUPTED before that. */
  pause?: (milliseconds: number) => S;
  /** Reason of the host's last interrupt, 0 for none. */
  stop_reason?: () => number;
}

/** A part of a reply; `at` UTF-16 units of it come before, and 0 begins the reply. */
export interface ReplyPiece {
  at: number;
  text: string;
}

/** One answer to one request. Each method may be called at any time: bytes after the end are dropped. */
export interface Answer {
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
  /** Adds to the reply; sent in chunks as the worker takes them. */
  write: (bytes: Uint8Array) => void;
  /** A piece of a model's reply that is still being written: it is no part of the answer, which has the whole reply. */
  piece?: (piece: ReplyPiece) => void;
  end: () => void;
  /** Ends the reply with an error, also after some bytes. */
  fail: (error: unknown) => void;
  /** Of the request, by its first call in the log: a repeated request has the same. */
  idempotencyKey?: (call: number) => string;
  /** The same of sub-calls that may leave before their request is made, and have no numbers until then. */
  aheadKey?: () => string;
  /** Of a request that was cut off before and is repeated: the numbers of its child runs. */
  again?: number[];
  /** The same, where it was a batch: which of its equal calls each one is that is asked again. */
  nth?: number[];
  /** Tells the request apart from others of its run, in the log. */
  mark?: () => string;
  /** Value of the request, where it was parsed before; the body of a root call may hold a part of its messages. */
  value?: unknown;
  /** Characters of the request as JSON, where its body is a part. */
  chars?: number;
  /** Tells the worker that the host is alive. */
  progress: () => void;
}

export type Handler = (body: string, answer: Answer, data: ArrayBuffer[]) => void | Promise<void>;

/** How the worker reaches the host. */
export type Post = (message: Request | CallsAhead | Ack | Heartbeat, transfer?: ArrayBuffer[]) => void;

/** How states reach the worker. */
export interface Line {
  /** Reports whether the worker still waited for that sequence. */
  put: (sequence: number, state: number, bytes: Uint8Array) => boolean;
  interrupt: (sequence: number, reason: number) => void;
}

// -------------------------------------------------------------------------------------------------------- model calls

export type Kind = CompleteRequest["kind"];

/** Options of a model call under their wire names: temperature, top_p, max_output_tokens, reasoning_effort, seed. */
export type ModelOptions = Record<string, Json>;

/** Model name -> usage of its calls. */
export type Usage = Record<string, ModelUsage>;

/** An image as it leaves, beside a prompt. */
interface LeavingImage {
  /** Name of the file that it is, or is a page of, as model code says; empty where that is not known. */
  source: string;
  page: number | null;
  /** MIME type, by its first bytes. */
  type: string;
  width: number | null;
  height: number | null;
  bytes: number;
  /** Of the bytes that model code gave, in hex. */
  sha256: string;
  /** The bytes that leave; null where they come from a log that does not keep them. */
  base64: string | null;
}

/** An image of a call; see `SentImage`. */
export interface CallImage extends LeavingImage {
  /** Of the bytes that leave, in hex. */
  sent_sha256: string;
}

/** A call as the host has it: its images are checked, and ready to be sent. */
export interface HostCall extends RequestedCall {
  pictures?: CallImage[];
}

/** A reply of a model, whole. */
export interface Completion {
  text: string;
  model: string;
  usage: ModelUsage;
  finish_reason: ReplyMeta["finish_reason"];
  /** Reasoning that the model shows; no part of the reply, and it stays with the host. */
  reasoning: string;
}

/**
 * The end of a call, or of a child run; a failed one may have been paid for. `fromStore`: the server had kept the reply from
 * an earlier session, which paid for it.
 */
export type Outcome = { completion: Completion; fromStore?: boolean } | { error: WireError; usage?: ModelUsage };

/** Answers model calls in the page. `post` settles each call by `take`, and rejects where its signal was aborted. */
export interface PageProvider extends Required<Omit<RLMProviderFacts, "concurrency">> {
  post(
    request: { calls: HostCall[]; options: ModelOptions },
    io: {
      signal: AbortSignal;
      take: (
        index: number,
        reply: Completion | (Error & Fault & { retryAfter: number | null; attempts: number }),
      ) => void;
      write: (text: string) => void;
      started: (index: number) => void;
    },
  ): Promise<void>;
}

/** The account of calls that left ahead: the facts of each, for its `egress` event. */
export interface SentAhead {
  entered: Promise<Array<Unstamped<Event & { type: "egress" }>>>;
}

/** The calls of a request that are about to leave; `first` is the number of the first one in the log. */
export interface Leaving {
  first: number;
  kind: Kind;
  calls: HostCall[];
  signal: AbortSignal;
}

/** The host's view of model calls: it counts and records them, and may forbid them. */
export interface Witness {
  /** Number of the first call; throws to refuse all of them. */
  started(kind: Kind, calls: HostCall[]): number;
  /** Model options of the calls of a kind. */
  options?(kind: Kind): ModelOptions;
  /** A piece of a root call's reply, as it comes. */
  replyPiece(call: number, piece: { at: number; text: string }): void;
  /** A piece of the reasoning that its model shows. */
  reasoningPiece(call: number, piece: { at: number; text: string }): void;
  finished(call: number, outcome: Outcome): void;
  /** Calls that leave before their request is made; where the run has none, they wait for it. */
  ahead?: {
    /** The calls may leave, and are counted from here on; null: they have to wait for their request. */
    leave(calls: HostCall[], signal: AbortSignal): Promise<SentAhead | null>;
    /** Their request is made: number of the first call. */
    used(calls: HostCall[], sent: SentAhead): number;
    /** No block makes their request. */
    unused(calls: HostCall[], outcomes: Outcome[], sent: SentAhead): void;
  };
  /** A notice for the user: the run waits, a call is retried. */
  noticed(text: string, code?: string): void;
  /** The error that the calls end with instead of leaving; null: they leave. */
  leave?(leaving: Leaving): Promise<WireError | null>;
}

// ---------------------------------------------------------------------------------------------------------------- log

/** An event without its stamp, which is the recorder's. */
export type Unstamped<E extends Event = Event> = E extends Event ? Omit<E, "seq" | "path" | "seconds"> : never;

/** Writes the trajectory of one run of the tree. */
export interface Recorder {
  record(event: Unstamped): void;
  /** One event per call; returns the number of the first. */
  callsStarted(kind: Kind, calls: HostCall[], options: ModelOptions, ahead?: CallStarted["ahead"]): number;
  callFinished(call: number, outcome: Outcome): void;
  /** The recorder of the run at `path`, into the same log. */
  below(path: number[], isContinued: boolean): Recorder;
  /** Number of calls in the log, but for those that this recorder began for requests of its run. */
  otherCalls(): number;
  /** Whether nothing of this run is recorded yet. */
  empty(): boolean;
  /** Record no more: later events are of child runs that were ended with the tree. */
  close(): void;
  /** The log of the whole tree so far: one JSON object a line. */
  trajectory(): string;
  events(): Iterable<Event>;
  /** Seconds since this run began. */
  seconds(): number;
}

/** A block of a run. */
export interface Position {
  iteration: number;
  block: number;
}

/** A run whose log is kept in this browser. */
export interface RLMKeptRun {
  /** Of its journal. */
  name: string;
  question: string;
  began: Date;
  /** Whether its context is kept too, so that `run` needs none to resume it. */
  hasContext: boolean;
  /** Whether a tab of this browser drives it now. */
  isRunning: boolean;
  /** Whether it ended, and `keepLog` kept it. */
  hasEnded: boolean;
}

// ----------------------------------------------------------------------------------------------- the caller's functions

/** A model call, as a provider of the page gets it. */
export interface RLMProviderCall {
  messages: { role: "system" | "user" | "assistant"; content: string }[];
  /** The option `model` or `subModel`, or one of `allowedModels`; null: none was named. */
  model: string | null;
  /** Beside the last message; `data` is base64. */
  images: { type: string; data: string }[];
  /** JSON Schema of the reply. The prompt ends with it, so that a provider may leave it aside. */
  schema: { [keyword: string]: Json } | null;
  /** Those of `modelOptions` or `subModelOptions` that were chosen. */
  options: {
    temperature?: number;
    topP?: number;
    maxOutputTokens?: number;
    reasoningEffort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";
    seed?: number;
  };
  /** Aborted when nobody waits for the reply any more. */
  signal: AbortSignal;
  /** Takes the pieces of the reply as they come, for whoever watches; an empty one is a sign of life. */
  onDelta: (text: string) => void;
}

export interface RLMProviderReply {
  /** The whole reply, also where its pieces were given to `onDelta`. */
  text: string;
  /** The model that answered, for `usage`. Default: the requested one. */
  model?: string | null;
  /** One that is left out counts as 0, but 1 call; a `cost` (US dollars) that is left out is unknown. */
  usage?: Partial<ModelUsage>;
  finishReason?: "stop" | "length" | "content_filter" | "tool_calls" | null;
  /** Reasoning that the model shows; no part of the reply. */
  reasoning?: string;
}

/** Facts of a provider, as properties of its function. */
export interface RLMProviderFacts {
  /** Where its calls go, for the record of what leaves. Default "a function of this page". */
  label?: string;
  /** Calls at the same time, the others wait. Default 8. */
  concurrency?: number;
  /** Whether its models take images; they are offered to model code only where it is true. Default null: not known. */
  takesImages?: boolean | null;
  /** Tokens of a model's window. Default null: not known. */
  windowTokens?: number | null;
}

/**
 * Answers a model call in the page. An error that it throws may say `retryable: true`, with `retryAfter` in seconds, and a
 * `status`; the call is then made again, at most five times.
 */
export interface RLMProvider extends RLMProviderFacts {
  (call: RLMProviderCall): Promise<RLMProviderReply>;
}

/**
 * A function that model code calls like a Python function. Arguments and result are JSON. Keyword arguments come as one
 * object after the positional ones; `this` holds both apart, and their JSON text, in which numbers and the order of keys
 * are Python's. A result may be `jsonText(...)`, which Python parses as it is. An error raises `ToolError` in model code.
 */
export type RLMFunction = (this: RLMFunctionCall, ...args: any[]) => unknown;

/** The arguments of a call apart, and their JSON text `{"args": [...], "kwargs": {...}}` as Python wrote it. */
export interface RLMFunctionCall {
  args: unknown[];
  kwargs: Record<string, unknown>;
  json: string;
}

/** The functions of a run by name, and those of its child runs, null for the same. */
export interface Functions {
  tools: Record<string, RLMFunction>;
  subTools: Record<string, RLMFunction> | null;
}

// ------------------------------------------------------------------------------------------------- runs made from a log

/** One run of the tree as its source sees it; `live` sends a request to the endpoint. */
export interface AnsweredRun {
  path: number[];
  witness: Witness;
  recorder: Recorder;
  live: Handler;
}

/** Where the answers of a run come from instead of its endpoint and the caller's functions. */
export interface Source {
  answering(run: AnsweredRun): { handle: Handler; usage: () => Usage };
  tools(path: number[], functions: Record<string, RLMFunction>): Record<string, RLMFunction>;
  /** Blocks that killed their worker, and are not run again. */
  lost(path: number[]): PastBlock[];
}

/** A child run, from the moment of its request: before it waits for a slot. */
export interface RLMChild {
  /** Place in the tree: [0] is a child of the root, [0, 2] a child of that. */
  path: number[];
  question: string;
  model: string | null;
  /**
   * Stop this run and those below it, and nothing else: the block that asked for it gets a SubCallError, "the child run
   * was stopped". Of one that is over it does nothing.
   */
  stop(): void;
}

// ------------------------------------------------------------------------------------------------------------- egress

/** A destination of model calls, as far as the host knows it. */
export interface RLMDestination {
  /** All of it as a line: `https://here.example → openai:gpt-5 (openai)`. */
  to: string;
  /** Origin that the request is sent to. */
  origin: string;
  provider: string | null;
  /** `provider:name`; the server's default by its name, null where that is not known. */
  model: string | null;
  /** Class of the machine behind the server, by its word: `openai`, `anthropic`, `on this machine`; null: not known. */
  host: string | null;
}

/** An image that is about to leave, beside the prompt of number `prompt`, from 0. */
export interface RLMEgressImage extends LeavingImage {
  prompt: number;
}

/** A request before it leaves: one call, or a batch of them. */
export interface RLMEgressRequest {
  kind: Kind;
  /** Place of the run in the tree; empty for the root run. */
  path: number[];
  /** The destinations as text. */
  to: string;
  destinations: RLMDestination[];
  /** The models that are named; null is the server's default. */
  models: Array<string | null>;
  prompts: number;
  /** Of all texts together; bytes are those of the images too. */
  chars: number;
  bytes: number;
  /** Estimated, at four characters each, and 750 pixels of an image. */
  tokens: number;
  /** US dollars, at the cost of this model's input tokens so far, replies included; null when that is not known. */
  price: number | null;
  /**
   * Characters of the context: `added` would leave for these destinations for the first time, `left` of `of` have left
   * before, for whichever.
   */
  contextChars: { added: number; left: number; of: number };
  /** Where they stand in the context: the longest hundred spans, and how many more there are. */
  spans: Span[];
  moreSpans: number;
  /** One text a prompt. */
  texts: string[];
  /** The images beside the prompts. */
  images: RLMEgressImage[];
  /** Aborted when the run is stopped while the answer is awaited. */
  signal: AbortSignal;
}

export type RLMEgressAnswer = "allow" | "deny" | { deny: string };

/** Asked before each request leaves; null where nobody is. */
export type OnEgress = ((request: RLMEgressRequest) => RLMEgressAnswer | Promise<RLMEgressAnswer>) | null;

// -------------------------------------------------------------------------------------------------- frames of a worker

/** An interrupt for the worker of a frame, which the relay writes into the memory that it shares with it. */
export interface RelayedInterrupt {
  type: "interrupt";
  sequence: number;
  reason: number;
}

/** The one message to a frame's window: `port` is the relay's, `boot.port` the worker's. */
export interface Settlement {
  script: string;
  boot: Record<string, unknown> & { port: MessagePort; wasm: Blob; snapshot: Blob | null };
  shared: boolean;
  port: MessagePort;
}

export type ToRelay = ReplyPart | RelayedInterrupt | { type: "ping" };
export type FromRelay = { type: "pong" } | { type: "lost"; why: string };

/** A sentence of the host for the log, with the code by which programs know it. */
export type HostNotice = string | { code: string | null; text: string };

/** The engine of a page, and how workers live in it. */
export interface RLMEngine {
  /** Engine and version, such as "Chromium 156"; Chrome and Edge are Chromium. */
  name: string;
  /** How code waits for a model; null: no worker starts here, and `reason` is the cause with its remedy. */
  channel: "shared-memory" | "jspi" | null;
  /** As each worker finds it by its self-test. */
  containment: "full" | "network" | "weak" | null;
  /** Whether workers live in a sandboxed frame. */
  inFrame: boolean;
  /** Why the containment is not full; "" where it is. */
  reason: string;
}
