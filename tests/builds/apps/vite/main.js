import "pyodide-rlm/ask";
import { standIn } from "pyodide-rlm/providers/stand_in";
import { LEASE, show } from "../answer.js";

const chosen = new URLSearchParams(location.search).get("assets");
const assets = chosen ?? `${import.meta.env.BASE_URL}rlm-assets/`;
show(document.querySelector("#answer"), assets);
Object.assign(document.querySelector("rlm-ask"), {
  provider: standIn({ assets }),
  options: { assets },
  context: LEASE,
});
