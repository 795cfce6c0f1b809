// Types: values that the modules of a boot share.

import type { Line } from "../wire/types.d.ts";
import type { Boot } from "../wire/protocol.js";

/** Where workers live: of the page's own, or in sandboxed frames. */
export type HostKind = "auto" | "worker" | "frame";

/** The assets of a frame: the worker's script, the relay's, and the hash of that one, in hexadecimal digits. */
export interface FrameAssets {
  script: string;
  relay: string;
  relaySha256: string;
}

/** The assets that every worker boots from. */
export interface Assets {
  /** Names this build, and the parts of the engine that are frozen into its snapshots. */
  key: string;
  workerUrl: string;
  /** Assets of the frames, where workers live in those. */
  frame: FrameAssets | null;
  /** Bytes where workers live in frames: no module crosses into one. */
  wasm: WebAssembly.Module | Blob;
  stdlib: Blob;
  core: Blob;
  lock: string;
  /** URL that the names of the lock file are relative to. */
  folder: string;
}

/** Modules are bytes where they go into a frame. */
export type FirstMessage = Omit<Boot, "wasm" | "snapshot" | "channel" | "interrupt"> & {
  wasm: Assets["wasm"];
  snapshot: Assets["wasm"] | null;
};

export interface HomeOptions {
  epoch: number;
  shared: boolean;
  lost: (why: string) => void;
}

/** Where a worker lives: of the page's own, or in a frame. */
export interface Home {
  /** How states reach it where it shares memory with its answering end; null: it does not. */
  line: Line | null;
  boot(message: FirstMessage, transfer: Transferable[]): void;
  end(): void;
}
