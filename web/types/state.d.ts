/** State of the page: see state.js. */
import type { KeptRun } from "/rlm/log/journal.js";
import type { RLMEgressRequest } from "/rlm/rlm.js";
import type { Attachment } from "../context.js";
import type { Catalogue } from "../models.js";
import type { Sample } from "../samples.js";
import type { Settings } from "../settings.js";
import type { Problem, RunView } from "./run.js";

export interface PageState {
  question: string;
  /** Context typed or pasted into the box. */
  typed: string;
  /** The folder that is being searched for files; "" when none is. */
  looking: string;
  attachments: Attachment[];
  settings: Settings;
  catalogue: Catalogue | null;
  samples: Sample[];
  problems: Record<"question" | "context" | "models" | "browser" | "recording" | "fork", Problem | null>;
  run: RunView | null;
  /** The request that the person is to allow or deny. */
  asking: { request: RLMEgressRequest; answer: (said: "allow" | "deny") => void } | null;
  unfinished: KeptRun[];
}
