// Types of as much of Pyodide, and of boot.py and bridge.py in it, as worker.js uses.

/** bridge.py's `run`: the job as JSON, its contexts and the host's line in; the result as JSON out. */
export interface BridgeRun {
  (job: string, contexts: unknown, line: object): string;
  callPromising(job: string, contexts: unknown, line: object): Promise<string>;
}

export interface Bridge {
  HEALTH: { begin(): void };
  run: BridgeRun;
}

export interface Modules {
  boot: { prepare(): void };
  bridge: Bridge;
}

export interface Stream {
  write(bytes: Uint8Array): number;
}

/** Emscripten's module, made of its settings. */
export interface PyodideModule {
  HEAP8: Int8Array;
  memory: WebAssembly.Memory;
  /** Called before Python starts. */
  onRuntimeInitialized?: () => void;
  growMemory(bytes: number): void;
}

/** A file in memory. */
export interface FileNode {
  contents: Uint8Array;
  usedBytes: number;
}

export interface Pyodide {
  FS: {
    ErrnoError: new (number: number) => Error;
    filesystems: {
      WORKERFS: {
        reader: { readAsArrayBuffer(blob: Blob): ArrayBuffer } | null;
        stream_ops: { read: import("./mounted.js").Read };
      };
    };
    lookupPath(path: string): { node: FileNode };
    mkdir(path: string): void;
    mount(type: unknown, options: object, path: string): void;
    readdir(path: string): string[];
    unmount(path: string): void;
    /** Milliseconds. */
    utime(path: string, accessed: number, modified: number): void;
    writeFile(path: string, data: Uint8Array): void;
  };
  _module: PyodideModule;
  makeMemorySnapshot(): Uint8Array<ArrayBuffer>;
  runPython(code: string): unknown;
  pyimport<Name extends keyof Modules>(name: Name): Modules[Name];
  setInterruptBuffer(buffer: Int32Array | undefined): void;
  setStdin(options: { error: true }): void;
  setStdout(stream: Stream): void;
  setStderr(stream: Stream): void;
}
