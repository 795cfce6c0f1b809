import "pyodide-rlm/ask"; // a warning of the bundler would fail the build
import { show } from "../answer.js";

const chosen = new URLSearchParams(location.search).get("assets");
show(document.querySelector("#answer"), chosen ?? undefined);
