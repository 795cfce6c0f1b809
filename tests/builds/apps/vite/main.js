import { show } from "../answer.js";

const chosen = new URLSearchParams(location.search).get("assets");
show(document.querySelector("#answer"), chosen ?? `${import.meta.env.BASE_URL}rlm-assets/`);
