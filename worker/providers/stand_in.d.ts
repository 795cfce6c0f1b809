import type { RLMOptions } from "../rlm.d.ts";
import type { RLMProvider } from "../wire/types.d.ts";

/** Where its worker lives, as in `RLMOptions`. */
export type StandInOptions = Pick<RLMOptions, "assets" | "host" | "containment">;

/**
 * A provider without any model: the server's built-in stand-in, which quotes by rules, in a worker of this page. Nothing
 * leaves the tab. It shows that a page works; it is no language model.
 */
export function standIn(options?: StandInOptions): RLMProvider;

/** Fetch the files that only its worker needs, so that it answers a page which has lost its site. */
export function expectStandIn(options?: Pick<StandInOptions, "assets">): Promise<void>;
