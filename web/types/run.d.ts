/** A run on the page: its events (worker/wire/protocol.js) as they are shown. */
import type { Event, RLMChild, RLMResult, Span, StoppedBy } from "/rlm/rlm.js";
import type { Printed } from "../printed.js";

export type { RLMChild, RLMResult, StoppedBy };
export type RunEvent = Event;
export type EventOf<T extends Event["type"]> = Extract<Event, { type: T }>;
export type Observation = EventOf<"block_finished">["observation"];
export type Handlers = { [T in Event["type"]]: (run: RunView, event: EventOf<T>) => void };

export type CallState = "waiting" | "running" | "done" | "failed" | "denied" | "stopped";
/** A model call, or a call of a tool: then `prompt` is the call as code, and `reply` its result. */
export interface CallView {
  call: number;
  kind: "root" | "sub" | "compaction" | "tool";
  state: CallState;
  model: string;
  prompt: string;
  /** Images beside it. */
  images: EventOf<"call_started">["images"];
  reply: string;
  /** Reasoning that the model showed; no part of the reply. */
  reasoning: string;
  error: string;
  startedAt: number;
  seconds: number;
  /** US dollars; null: unknown. */
  cost: number | null;
  isDenied: boolean;
  /** Whether it left ahead of its code, which did not ask for it in the end. */
  isUnused: boolean;
}
/** The calls of one block. `expected` counts those that its batches announced, started or not. */
export interface CallGroup {
  calls: CallView[];
  expected: number;
}
/** Requests of one block. */
export interface Work {
  subCalls: CallGroup;
  toolCalls: CallGroup;
  children: ChildView[];
}
export interface BlockView extends Work {
  block: number;
  code: string;
  printed: Printed;
  observation: Observation | null;
  /** It did not come to its end: its time was up, the run was stopped, or its interpreter was lost. */
  isStopped: boolean;
  startedAt: number;
}
export interface IterationView {
  iteration: number;
  /** The root model's reply, whole; null until it is. */
  reply: string | null;
  /** As much of it as was written so far. */
  written: string;
  /** Reasoning that the root model shows, as much as came so far; no part of the reply. */
  reasoning: string;
  blocks: BlockView[];
  startedAt: number;
  seconds: number | null;
  /** US dollars of the calls within it whose price is known, and how many others there were. */
  cost: { known: number; unpriced: number };
  failed: boolean;
  /** Grows with every change, so that an unchanged iteration is not drawn again. */
  version: number;
}
/** A call that left, or was denied, and the parts of the context in it. */
export type EgressCall = EventOf<"egress"> & { kind: "root" | "sub" | "compaction" };
export interface EgressView {
  calls: EgressCall[];
  bytes: number;
  denied: number;
  /** Calls that left ahead, and whose reply no code asked for. */
  unused: number;
  /** Characters of the context that left so far, of how many. */
  left: number;
  of: number;
  /** Name of a context -> the spans of it that left, with the calls that carried them. */
  spans: Map<string, Array<Span & { call: number }>>;
}
/** `code` is the stable name of the host's notices that have one. */
export interface NoticeView {
  text: string;
  code: string | null;
}
/** One run of the tree. */
export interface RunNode {
  question: string;
  model: string;
  maxIterations: number | null;
  iterations: IterationView[];
  /** Requests of a block that the worker has not reported yet. */
  unplaced: Work;
  /** Notices of the host, and of the worker, about it. */
  notices: NoticeView[];
  partial: string;
}
export interface ChildView extends RunNode {
  path: readonly number[];
  parent: RunNode;
  /** The parent's iteration that requested it. */
  within: IterationView | undefined;
  /** Seconds since the root run began; `null` while it waits for a slot. */
  startedAt: number | null;
  ending: EventOf<"run_finished"> | null;
  /** Ends this run alone; `null` for one that is only shown. */
  stop: (() => void) | null;
  stopping: boolean;
}
export interface RunView extends RunNode {
  phase: "starting" | "running" | "finished";
  contextSummary: string;
  /** `performance.now()` when it began. */
  startedAt: number;
  totalSeconds: number | null;
  calls: Map<number, CallView>;
  /** Path, as "0.2" -> child run. */
  children: Map<string, ChildView>;
  counts: { started: number; finished: number; failed: number; denied: number };
  tokens: { input: number; output: number };
  /** US dollars of the calls whose price is known, and how many others there were. */
  cost: { known: number; unpriced: number };
  egress: EgressView;
  /** The person allowed all calls from now on. */
  asksNoMore: boolean;
  /** The contexts, from which the parts that left are read. */
  context: unknown;
  /** Every event but those for watching only, for a trajectory when the host could not give one. */
  events: RunEvent[];
  stopping: boolean;
  /** The server cannot be reached: the run waits for it. */
  isAway: boolean;
  /** One call over the whole context. */
  isDirect: boolean;
  result: RLMResult | null;
  problem: Problem | null;
  /** Where it is read from, when it is not made here. */
  recorded: Recorded | null;
}
/** A trajectory that is played: its first `at` events are shown. */
export interface Recorded {
  name: string;
  /** When its file was last changed, or the kept run began, where that is known. */
  changed: Date | null;
  /** One of this browser's earlier runs, not a file. */
  isKept: boolean;
  /** A later question of a conversation: it needs the variables of those before, and cannot be forked alone. */
  isFollowUp: boolean;
  /** Name of the kept conversation that it is of. */
  conversation: string | null;
  /** Another system that wrote the log: it holds no prompts, and cannot be forked. */
  system: string | null;
  /** The run that was shown before it. */
  before: RunView | null;
  log: string;
  /** Lines of it that could not be read. */
  notes: string[];
  events: RunEvent[];
  at: number;
  isPlaying: boolean;
}

/** An error as a person reads it: event, cause, and the one thing to do. */
export interface Problem {
  title: string;
  cause: string;
  action: string;
  /** The button that does it, when the page can. */
  remedy?: Remedy;
}
export type Remedy = "run" | "models" | "question" | "limits" | "reload";
