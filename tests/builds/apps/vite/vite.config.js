import { rlmAssets } from "pyodide-rlm/vite";

export default { plugins: [rlmAssets()] };
