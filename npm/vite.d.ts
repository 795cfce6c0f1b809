/** Options of `rlmAssets`. */
export interface RLMAssetsOptions {
  /** Path of the assets below the app's base. Default "rlm-assets/". */
  path?: string;
  /** Folder of the assets, against the app's root. Default: that of the package pyodide-rlm-assets. */
  from?: string;
}

/** The part of Vite's interface that is used: a plugin of Vite 6 or later. */
export interface RLMAssetsPlugin {
  name: "pyodide-rlm";
  configResolved(config: { root: string; base: string; build?: { ssr?: boolean | string } }): void;
  configureServer(server: {
    middlewares: {
      use(path: string, serve: (request: RLMAssetRequest, response: any, next: () => void) => void): unknown;
    };
  }): void;
  generateBundle(this: {
    emitFile(file: { type: "asset"; fileName: string; source: Uint8Array }): unknown;
  }): void;
}

/** The part of a request that is read. */
export interface RLMAssetRequest {
  url?: string;
}

/**
 * A plugin for Vite that serves the assets of the workers in development, and puts them into the build, at
 * `rlm-assets/` below the app's base: `new RLM({ assets: import.meta.env.BASE_URL + "rlm-assets/" })`.
 */
export function rlmAssets(options?: RLMAssetsOptions): RLMAssetsPlugin;
