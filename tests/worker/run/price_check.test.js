// Price check: a limit of cost is refused before anything is spent, where the endpoint says that a price is not known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPrices } from "../../../worker/run/price_check.js";

globalThis.document = { baseURI: "https://page.example/app/" };

const MODELS = [
  { id: "a:priced", priced: true },
  { id: "a:mine", priced: false },
  { id: "b:reports", priced: null },
];
const LIST = { models: MODELS, default: "a:mine" };

/** An endpoint whose list is `list`; `asked` takes the addresses that were fetched. */
function listing(list, asked = []) {
  return async (url) => {
    asked.push(String(url));
    return new Response(JSON.stringify(list));
  };
}

test("a model without a price is refused by its name, the default one too", async () => {
  const asked = [];
  const refused = { name: "ConfigError", message: /^maxCost cannot be kept: no price of the model a:mine is known/ };
  await assert.rejects(checkPrices("/api/rlm", ["a:priced", "a:mine"], listing(LIST, asked)), refused);
  await assert.rejects(checkPrices("/api/rlm", [null], listing(LIST)), refused);
  assert.deepEqual(asked, ["https://page.example/api/models"]);
});

test("models with a price, those whose replies report it, and unknown ones may be asked", async () => {
  await checkPrices("/api/rlm", ["a:priced", "b:reports", "c:unlisted"], listing(LIST));
});

test("an endpoint without such a list says nothing", async () => {
  await checkPrices("/scripted", [null], () => assert.fail("nothing is fetched"));
  await checkPrices("/api/rlm", [null], async () => new Response("", { status: 404 }));
  await checkPrices("/api/rlm", [null], async () => new Response("<html>"));
  await checkPrices("/api/rlm", [null], async () => {
    throw new TypeError("Failed to fetch");
  });
});
