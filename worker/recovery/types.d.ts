// Types: the log of a run that did not end, as its next worker needs it.

import type { Event, PastBlock, RunFinished, RunStarted } from "../wire/protocol.js";
import type { Position, Usage } from "../wire/types.d.ts";
import type { Entry } from "./recorded_request.js";

/** One run of the tree, as far as its log goes. */
export interface ResumedRun {
  entries: Entry[];
  blocks: PastBlock[];
  /** Number of events that the worker sent. */
  workerEvents: number;
  rootCalls: number;
  /** The block that ran when the log ends. */
  open: Position | null;
  /** How often the tab was closed in the open block, while that was at work. */
  crashes: number;
  /** As the worker described them. */
  contexts: RunStarted["contexts"] | null;
  /** By their numbers, those that had begun. */
  children: Map<number, ResumedRun>;
  nextChild: number;
  ended: RunFinished | null;
}

/** The whole tree and its root run. */
export interface ResumedLog extends ResumedRun {
  /** Name of the run. */
  run: string;
  /** The end of a run that was stopped, or that is an earlier question of a session. */
  ending: RunFinished | null;
  events: Event[];
  lines: string[];
  calls: number;
  seconds: number;
  /** Sentences about lines that were left out. */
  notes: string[];
  subCalls: number;
  /** By path, as "0.2". */
  usage: Map<string, Usage>;
  /** The same without calls that were stopped at work, whose cost is not known. */
  answered: Map<string, Usage>;
}
