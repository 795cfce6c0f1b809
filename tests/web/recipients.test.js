// Recipients: who receives text, in words, and whether it leaves the tab.

import assert from "node:assert/strict";
import { test } from "node:test";
import { costOf, forecast, rounded } from "../../web/forecast.js";
import { recipientsOf } from "../../web/recipients.js";

const OPENAI = { id: "openai:gpt-5", provider: "openai", host: "openai" };
const CLAUDE = { id: "anthropic:c", provider: "anthropic", host: "anthropic" };
const LOCAL = { id: "ollama:qwen3", provider: "ollama", host: "on this machine" };
const STAND_IN = { id: "builtin:extractive", provider: "builtin", host: "on this machine" };

function said(by, models = [], isHere = true, address = "http://localhost:8000/api/rlm") {
  return recipientsOf({ by, address, isHere, models });
}

test("a vendor is named, and the server that passes the text on", () => {
  assert.equal(said("own-server", [OPENAI]).text, "OpenAI, through the server on this machine");
  const away = said("own-server", [OPENAI, CLAUDE, OPENAI], false, "https://rlm.example/api/rlm");
  assert.equal(away.text, "OpenAI and Anthropic, through the server at rlm.example");
  assert.equal(said("own-server", [LOCAL]).text, "Ollama on this machine, through the server beside it");
  assert.match(
    said("server", [LOCAL], false, "https://a.example/x").text,
    /Ollama on the server’s machine, through the server at a.example/,
  );
  assert.equal(said("own-server", [STAND_IN]).text, "the stand-in on the server on this machine, and no vendor");
  assert.equal(said("own-server", []).leaves, true);
});

test("a person's own key goes to the vendor alone", () => {
  const { text, leaves } = said("openai", [], false, "https://api.openai.com/v1");
  assert.equal(text, "api.openai.com, straight from this page, with your key");
  assert.equal(leaves, true);
});

test("only in the tab and in the browser does nothing leave", () => {
  assert.deepEqual([said("stand-in").leaves, said("browser").leaves], [false, false]);
  for (const models of [[], [STAND_IN], [LOCAL]]) assert.equal(said("own-server", models).leaves, true);
});

test("a forecast is a range that grows with what is asked, and covers few iterations", () => {
  const run = { questionChars: 100, contextChars: 1e9, maxIterations: 20, maxOutputChars: 20_000 };
  const { low, high, iterations } = forecast(run);
  assert.equal(iterations, 3);
  assert.ok(low.input > 3 * 1_500 && low.input < high.input && low.output < high.output);
  assert.equal(forecast({ ...run, maxIterations: 1 }).iterations, 1);
  assert.ok(forecast({ ...run, questionChars: 40_000 }).low.input > low.input + 29_000);
  assert.ok(forecast({ ...run, maxOutputChars: 200 }).high.input < high.input);
  assert.equal(costOf({ input: 1_000_000, output: 500_000 }, { input: 0.25, output: 2 }), 1.25);
  assert.deepEqual([7, 1_234, 98_765].map(rounded), [7, 1_200, 99_000]);
});
