"""Snapshot and pool: workers start from kept memory, as contained and as fresh as any; a broken one is left aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.lab import FINISH, code, printed, run

TAKE = """async () => {
  const [{takeWorker, prepareWorker}, {readSnapshot, keepSnapshot}, {loadAssets}] = await Promise.all([
    import("/rlm/boot/pool.js"), import("/rlm/boot/snapshot.js"), import("/rlm/boot/runtime.js"),
  ]);
  const base = new URL("/rlm/assets/", location.href).href;
  const {key} = await loadAssets(base);
  const take = async () => {
    const worker = await takeWorker(base);
    worker.terminate();
    return {start: worker.start, epoch: worker.epoch, level: worker.ready.level};
  };
  SCRIPT
}"""
WITHOUT_SECRET = """await new Promise((done, failed) => {
  const request = indexedDB.deleteDatabase('pyodide-rlm-seal');
  request.onsuccess = done; request.onerror = failed; request.onblocked = failed;
});"""


@pytest.fixture(scope="module")
def keeper(browser: Browser, served: str) -> Iterator[Page]:
    """A page that has made a snapshot, and holds a copy of it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(served)
    evaluate(page, "await prepareWorker(base); globalThis.copy = await readSnapshot(key);")
    yield page
    context.close()


@pytest.fixture
def page(keeper: Page, served: str) -> Iterator[Page]:
    """A first visit, but for the assets in HTTP's cache: neither a snapshot nor the secret of its seal is kept yet."""
    evaluate(keeper, f"await caches.delete('pyodide-rlm-snapshot'); {WITHOUT_SECRET}")
    page = keeper.context.new_page()
    page.goto(served)
    yield page
    page.close()


@pytest.fixture
def kept(keeper: Page, page: Page) -> Page:
    """A later visit: the snapshot is kept."""
    evaluate(keeper, "await keepSnapshot(key, await globalThis.copy.arrayBuffer());")
    return page


def evaluate(page: Page, script: str) -> Any:
    return page.evaluate(TAKE.replace("SCRIPT", script))


def test_a_worker_from_a_snapshot_is_fully_contained(page: Page) -> None:
    first, second, third = evaluate(
        page, "const first = await take(); await prepareWorker(base); return [first, await take(), await take()];"
    )
    assert first["start"] == "no snapshot (none is made yet)"
    assert [second["start"], third["start"]] == ["snapshot", "snapshot"]
    assert [second["level"], third["level"]] == ["full", "full"]
    assert len({first["epoch"], second["epoch"], third["epoch"]}) == 3


def test_runs_draw_the_same_from_random_and_never_the_same_from_the_system(kept: Page) -> None:
    draw = code("import random, uuid\nprint(random.random(), hash('x'), random.Random().random(), uuid.uuid4())")
    results = [run(kept, [draw, FINISH]) for _ in range(2)]
    assert all(any("start: snapshot" in event.get("text", "") for event in result["events"]) for result in results)
    first, second = (printed(result).split() for result in results)
    assert first[:2] == second[:2]
    assert len({*first, *second}) == 6


def test_the_next_page_starts_from_the_kept_snapshot(page: Page) -> None:
    evaluate(page, "await prepareWorker(base);")
    page.reload()
    assert evaluate(page, "return (await take()).start;") == "snapshot"


FOREIGN = """
const data = await (await readSnapshot(key)).arrayBuffer();
const hash = await crypto.subtle.digest('SHA-256', data);
const hex = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
const cache = await caches.open('pyodide-rlm-snapshot'); const [at] = await cache.keys();
await cache.put(at, new Response(data, {headers: {'X-Digest': hex, 'X-Seal': hex}}));
"""
"""A whole snapshot, with all that a script can know of it: the seal alone is missing."""
BROKEN = {
    "damaged": "const cache = await caches.open('pyodide-rlm-snapshot'); const [at] = await cache.keys();"
    "const {headers} = await cache.match(at); await cache.put(at, new Response('x', {headers}));",
    "changed in one byte": "const cache = await caches.open('pyodide-rlm-snapshot'); const [at] = await cache.keys();"
    "const kept = await cache.match(at); const data = await kept.arrayBuffer(); new Uint8Array(data)[1 << 20] ^= 1;"
    "await cache.put(at, new Response(data, {headers: kept.headers}));",
    "put there by another, with its own hash": FOREIGN,
    "renamed from another build": "const [at] = await (await caches.open('pyodide-rlm-snapshot')).keys();"
    "await keepSnapshot(`old-${key}`, await (await readSnapshot(key)).arrayBuffer());"
    "const cache = await caches.open('pyodide-rlm-snapshot'); const [old] = await cache.keys();"
    "await cache.put(at, await cache.match(old));",
    "without the secret of its seal": WITHOUT_SECRET,
    "of another build": "const data = await (await readSnapshot(key)).arrayBuffer(); new Uint8Array(data)[40] ^= 1;"
    "await keepSnapshot(key, data);",
    "no snapshot at all": "await keepSnapshot(key, new ArrayBuffer(4096));",
}
WHY = {"of another build": "Snapshot build id mismatch", "no snapshot at all": "magic word"}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_snapshot_is_left_aside_and_the_run_says_so(kept: Page, how: str) -> None:
    page = kept
    evaluate(page, BROKEN[how])
    result = run(page, [FINISH])
    assert result["answer"] == "done"
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert any(
        "start: no snapshot" in text and WHY.get(how, "damaged, or is not of this page's making") in text
        for text in notices
    ), notices
    page.reload()
    assert evaluate(page, "return (await take()).start;") == "no snapshot (none is made yet)"


def test_a_snapshot_of_an_older_build_is_not_used(kept: Page) -> None:
    evaluate(kept, "await keepSnapshot(`old-${key}`, await (await readSnapshot(key)).arrayBuffer());")
    assert evaluate(kept, "return (await take()).start;") == "no snapshot (none is made yet)"


def test_modules_without_their_source_can_be_asked_for_it(shared_page: Page) -> None:
    ask = """
import inspect, json, linecache, traceback
try:
    inspect.getsource(json.dumps)
except OSError:
    print('no source')
print(inspect.signature(json.dumps).parameters['indent'], bool(json.dumps.__doc__))
print(repr(linecache.getline(json.__file__, 1)))
try:
    json.loads('{')
except ValueError:
    print(traceback.format_exc().splitlines()[-1].partition(':')[0])
"""
    shown = printed(run(shared_page, [code(ask), FINISH]))
    assert shown == "no source\nindent=None True\n''\njson.decoder.JSONDecodeError\n"
