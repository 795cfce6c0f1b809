/** What the page makes of a run: its events (worker/protocol.js) as they are shown. */
import type { Event, RLMResult, StoppedBy } from "/rlm/rlm.js";
import type { Printed } from "../printed.js";

export type { RLMResult, StoppedBy };
export type RunEvent = Event;
export type EventOf<T extends Event["type"]> = Extract<Event, { type: T }>;
export type Observation = EventOf<"block_finished">["observation"];
export type Handlers = { [T in Event["type"]]: (run: RunView, event: EventOf<T>) => void };

export type CallState = "waiting" | "running" | "done" | "failed";
export interface CallView {
  call: number;
  kind: "root" | "sub";
  state: CallState;
  model: string;
  prompt: string;
  reply: string;
  error: string;
  startedAt: number;
  seconds: number;
}
/** The sub-calls of one block. `expected` counts those that its batches announced, started or not. */
export interface CallGroup {
  calls: CallView[];
  expected: number;
}
export interface BlockView {
  block: number;
  code: string;
  printed: Printed;
  observation: Observation | null;
  startedAt: number;
  subCalls: CallGroup;
}
export interface IterationView {
  iteration: number;
  reply: string | null;
  blocks: BlockView[];
  startedAt: number;
  seconds: number | null;
  failed: boolean;
  /** Grows with every change, so that an unchanged iteration is not drawn again. */
  version: number;
}
export interface RunView {
  phase: "starting" | "running" | "finished";
  question: string;
  contextSummary: string;
  model: string;
  maxIterations: number | null;
  /** `performance.now()` when it began. */
  startedAt: number;
  totalSeconds: number | null;
  iterations: IterationView[];
  calls: Map<number, CallView>;
  /** Sub-calls whose block the worker has not told of yet. */
  unplaced: CallGroup;
  counts: { started: number; finished: number; failed: number };
  tokens: { input: number; output: number };
  notices: string[];
  /** Every event but output, for a trajectory when the host could not give one. */
  events: RunEvent[];
  partial: string;
  stopping: boolean;
  result: RLMResult | null;
  problem: Problem | null;
}

/** An error as a person reads it: what happened, why, and the one thing to do. */
export interface Problem {
  title: string;
  cause: string;
  action: string;
  /** The button that does it, when the page can. */
  remedy?: Remedy;
}
export type Remedy = "run" | "models" | "question" | "limits" | "reload";
