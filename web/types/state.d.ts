/** State of the page: see state.js. */
import type { EndedRun, KeptRun } from "/rlm/log/journal.js";
import type { RLMEgressRequest } from "/rlm/rlm.js";
import type { Attachment } from "../context.js";
import type { Catalogue } from "../models.js";
import type { Sample } from "../samples.js";
import type { Settings } from "../settings.js";
import type { Problem, RunView } from "./run.js";

/** A file, or a folder with so many `files`, and its size in bytes. */
export interface Wanted {
  name: string;
  size: number;
  files: number;
  /** Position among the attachments. */
  at: number;
}
export interface PageState {
  question: string;
  /** Context typed or pasted into the box. */
  typed: string;
  /** The folder or the files that are being looked through; "" when none are. */
  looking: string;
  /** How many of its files were seen. */
  looked: number;
  /** The run begins when the context is whole. */
  isQueued: boolean;
  attachments: Attachment[];
  /** Files of the form, or of a run that is continued, which are to be given again. */
  wanted: Wanted[];
  settings: Settings;
  catalogue: Catalogue | null;
  samples: Sample[];
  problems: Record<
    "question" | "context" | "models" | "browser" | "recording" | "fork" | "server" | "history",
    Problem | null
  >;
  run: RunView | null;
  /** The request that the person is to allow or deny. */
  asking: { request: RLMEgressRequest; answer: (said: "allow" | "deny") => void } | null;
  unfinished: KeptRun[];
  /** Runs that ended, the newest first. */
  history: EndedRun[];
  /** Earlier questions of the conversation, the oldest first. */
  turns: RunView[];
  /** The run whose REPL still lives; it may be running. */
  followable: RunView | null;
  /** The next question, as far as it is written. */
  followUp: string;
  /** Name of the conversation under way; its runs are kept under it. */
  conversation: string | null;
  /** Outcome of the last import. */
  historySaid: string;
}
