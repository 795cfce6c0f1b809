import { show } from "../answer.js";

const chosen = new URLSearchParams(location.search).get("assets");
show(document.querySelector("#answer"), chosen ?? undefined);
