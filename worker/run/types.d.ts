// Types: what the modules of a run share, so that none of them needs another one's.

import type { Shape } from "./shape.js";
import type { StartedWorker } from "../boot/pool.js";
import type { HostKind } from "../boot/types.d.ts";
import type { Gate } from "../egress/gate.js";
import type { Ledger, Summary } from "../egress/ledger.js";
import type { Journal } from "../log/journal.js";
import type { Crash } from "../recovery/crashes.js";
import type { ResumedLog, ResumedRun } from "../recovery/types.d.ts";
import type { openRecovery } from "../recovery/recovery.js";
import type {
  CallsAhead,
  Event,
  ModelUsage,
  Ready,
  RequestedCall,
  RunResult,
  RunStarted,
  StartJob,
} from "../wire/protocol.js";
import type { openQuota } from "./message_quota.js";
import type {
  Functions,
  HostNotice,
  Kind,
  OnEgress,
  PageProvider,
  Recorder,
  RLMChild,
  Source,
  Usage,
} from "../wire/types.d.ts";

/** Where workers come from, and where their model calls are sent. */
export interface Hosting {
  endpoint: string;
  /** Answers in its place. */
  provider?: PageProvider | null;
  /** Whether sub-calls may leave while the reply that makes them is still being written. */
  overlap?: boolean;
  /** Headers of each request to it. */
  headers?: Record<string, string>;
  /** URL of the assets' folder. */
  assets: string;
  host?: HostKind;
  /** The least level at which model code may run. */
  containment: Ready["level"];
  memoryBytes?: number;
  onStage?: (stage: string) => void;
}

/** The caller's callbacks. */
export interface Listeners {
  onEvent: (event: Event) => void;
  onCall: (kind: Kind, call: RequestedCall) => void;
  /** Called for each child run, wherever in the tree. */
  onChild?: (child: RLMChild) => void;
}

/** A tree of runs: its root job, and everything around it. */
export interface TreeOptions {
  job: StartJob;
  hosting: Hosting;
  listeners: Listeners;
  onEgress: OnEgress;
  /** The functions that the job's tools call. */
  functions: Functions;
  /** Models that model code may name beside the job's. */
  allowedModels: string[] | null;
  /** Whether a limit of cost may stand where a price is not known. */
  allowUnknownPrice: boolean;
  /** Whether the log holds the bytes of images. */
  keepImages: boolean;
  /** Of the tree, or of the session. */
  ledger: Ledger;
  /** Stops the run. */
  signal?: AbortSignal;
  /** Ends the run at once. */
  end?: AbortSignal;
  /** Where the log is kept while the run lasts. */
  journal?: Journal | null;
  /** Name of a new run in the idempotency keys of its calls; without one it is drawn. */
  idempotencyKey?: string;
  /** The log of a run that is resumed. */
  resumed?: ResumedLog | null;
  /** The answers of a run that is made from a log. */
  source?: Source | null;
  /** Where the worker outlives the run. */
  session?: Session | null;
  /** Sentences for the user about the job, recorded once it began. */
  notices?: HostNotice[];
}

/** What all runs of a tree share. */
export interface Tree {
  hosting: Hosting;
  listeners: Listeners;
  budget: Budget;
  usage: UsageByPath;
  slots: Slots;
  ledger: Ledger;
  gate: Gate;
  journal: Journal | null;
  /** Whether the server keeps the replies of calls under their keys. */
  keepsReplies: () => boolean;
  source: Source | null;
  /** Names the tree for good, also where it is resumed: idempotency keys begin with it. */
  name: string;
}

/** One run of a tree. */
export interface RunOptions {
  job: StartJob;
  tree: Tree;
  /** The tree's, at the path of this run. */
  recorder: Recorder;
  functions: Functions;
  signal?: AbortSignal;
  end?: AbortSignal;
  resumed: ResumedRun | null;
  session: Session | null;
  notices: HostNotice[];
}

/** How a run ends, where the host decides it. */
export interface Ending {
  stopped_by: RunResult["stopped_by"];
  detail: string;
}

/** How one worker of a run ended; a whole one is still there. */
export type WorkerEnd = { result: RunResult; isWhole: boolean } | Crash | { refused: Error };

export interface FinishedRun {
  result: RunResult;
  trajectory: () => string;
  events: () => Iterable<Event>;
  /** Position in the tree, as "0.2" -> model -> usage of that run alone. */
  usageByPath: () => Record<string, Usage>;
  /** Of the usage, the part that was answered from a record. */
  usageFromRecord: () => Usage;
  /** Of the usage, the summaries of long conversations. */
  usageOfCompaction: () => Usage;
  egress: Summary;
}

/** The limits of a tree, by the host's own count. */
export interface Budget {
  /** Called with the ending when a limit is reached. */
  whenReached(listener: (ending: Ending) => void): void;
  /** Count sub-calls about to begin, all or none; 0 for a root call. Throws when they may not. */
  admit(count: number): void;
  /** How many sub-calls may begin now. */
  room(): number;
  /** Count the usage of a call to a model. */
  spend(model: string, usage: ModelUsage): void;
  /** Count earlier sessions: a resumed run has the rest of its limits. */
  restore(earlier: Pick<ResumedLog, "answered" | "subCalls">): void;
}

/** The usage of each run of a tree. */
export interface UsageByPath {
  /** Add an account of the run at `path`; a recorded one, and the stored part of another, was paid earlier. */
  open(path: number[], usage: () => Usage, options?: { isRecorded?: boolean; stored?: () => Usage }): void;
  /** Add the usage of earlier sessions, by path as "0.2". */
  restore(usage: Map<string, Usage>): void;
  /** Of the whole tree, the part that was answered from a record. */
  recorded(): Usage;
  /** Count a summary of a long conversation; it is in the account of its run too. */
  addCompaction(model: string, used: ModelUsage): void;
  /** Of the whole tree, the summaries of long conversations. */
  ofCompaction(): Usage;
  /** Of the run at `path` and those below it. */
  of(path: number[]): Usage;
  /** Path, as "0.2" and "" for the root -> usage of that run alone. */
  byPath(): Record<string, Usage>;
}

/** The child runs of a tree that are at work at the same time. */
export interface Slots {
  enter(depth: number): Promise<void>;
  leave(): void;
}

/** The one stop of a run. */
export interface Stop {
  stop(because: Ending): void;
  signal: AbortSignal;
  ending(): Ending | null;
  /** Time is counted from the first worker's start. */
  begin(): void;
  close(): void;
}

/** A run at work, as its workers see it. */
export interface Run {
  /** The beginning of the run as the host has it. */
  start: Pick<
    RunStarted,
    | "question"
    | "model"
    | "sub_model"
    | "limits"
    | "model_options"
    | "sub_model_options"
    | "schema"
    | "direct"
    | "console"
    | "run"
  >;
  /** Of the answer's value; null: the answer is text. */
  shape: Shape | null;
  stop: Stop;
  recorder: Pick<Recorder, "record" | "empty" | "seconds">;
  recovery: ReturnType<typeof openRecovery>;
  quota: ReturnType<typeof openQuota>;
  /** Calls that a block is expected to make. */
  ahead(message: CallsAhead): void;
  stopChildren(): void;
  /** A worker takes the run over. */
  begin(): void;
  /** Whether any worker began it. */
  isBegun(): boolean;
  /** A result without the worker's account of it. */
  noResult(otherwise: Ending): RunResult;
  close(result: RunResult): RunResult;
}

/** An earlier question of a session, or a console entry. */
export interface Turn {
  run: Run;
  job: StartJob;
}

/** Several questions over one worker. */
export interface Session {
  /** The earlier questions, in order. */
  turns(): Turn[];
  /** The worker of the question before; null at the first, and where it is gone. */
  take(): StartedWorker | null;
  /** The worker of a run that ended by itself. */
  keep(used: StartedWorker): void;
  /** A worker began this run, and it is over. */
  add(turn: Turn): void;
  close(): void;
}

export type { ResumedRun, StartedWorker };
