// Types: what the modules of a run share, so that none of them needs another one's.

import type { StartedWorker } from "../boot/pool.js";
import type { HostKind } from "../boot/runtime.js";
import type { Gate } from "../egress/gate.js";
import type { Ledger, Summary } from "../egress/ledger.js";
import type { Journal } from "../log/journal.js";
import type { ResumedLog, ResumedRun } from "../recovery/resume.js";
import type { Event, Ready, RequestedCall, RunResult, StartJob } from "../wire/protocol.js";
import type { Functions, Kind, OnEgress, Recorder, RLMChild, Source, Usage } from "../wire/types.d.ts";
import type { openBudget } from "./budget.js";
import type { openSession } from "./session.js";
import type { openSlots } from "./slots.js";
import type { openUsage } from "./usage_by_path.js";

/** Where workers come from, and where their model calls are sent. */
export interface Hosting {
  endpoint: string;
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
  /** Of the tree, or of the session. */
  ledger: Ledger;
  /** Stops the run. */
  signal?: AbortSignal;
  /** Ends the run at once. */
  end?: AbortSignal;
  /** Where the log is kept while the run lasts. */
  journal?: Journal | null;
  /** The log of a run that is resumed. */
  resumed?: ResumedLog | null;
  /** The answers of a run that is made from a log. */
  source?: Source | null;
  /** Where the worker outlives the run. */
  session?: Session | null;
  /** Sentences for the user about the job, recorded once it began. */
  notices?: string[];
}

/** What all runs of a tree share. */
export interface Tree {
  hosting: Hosting;
  listeners: Listeners;
  budget: ReturnType<typeof openBudget>;
  usage: ReturnType<typeof openUsage>;
  slots: ReturnType<typeof openSlots>;
  ledger: Ledger;
  gate: Gate;
  journal: Journal | null;
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
  notices: string[];
}

/** How a run ends, where the host decides it. */
export interface Ending {
  stopped_by: RunResult["stopped_by"];
  detail: string;
}

/** How one worker of a run ended; a whole one is still there. */
export type WorkerEnd = { result: RunResult; isWhole: boolean } | { crash: string } | { refused: Error };

export interface FinishedRun {
  result: RunResult;
  trajectory: () => string;
  /** Position in the tree, as "0.2" -> model -> usage of that run alone. */
  usageByPath: () => Record<string, Usage>;
  /** Of the usage, the part that was answered from a record. */
  usageFromRecord: () => Usage;
  egress: Summary;
}

export type Session = ReturnType<typeof openSession>;
export type { ResumedRun, StartedWorker };
