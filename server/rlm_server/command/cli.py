"""The command `pyodide-rlm`: serve the page, ask a question without a window, look after the set-up.

Progress goes to stderr and the answer to stdout. Exit status: 0 a final answer, 1 a fault, 2 wrong usage, 3 a limit,
130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..headless.arguments import chosen, log_text, read_options
from ..headless.egress_report import EgressReport
from ..headless.evidence_lines import evidence_lines
from ..headless.own_server import own_server
from ..headless.recording import read_recording
from ..headless.value_shape import read_schema
from ..headless.visible_text import visible
from .batch import batch
from .chat import chat
from .confirm import Confirm, Screen
from .exit_status import FAULT, FINAL, reported, status_of
from .headless_run import HeadlessRun
from .limit_flags import chosen_limits, limit_options
from .mcp import mcp
from .outputs import EventLog, probe, save
from .package_commands import packages
from .printing import print_line, print_result, say_checks, say_folders
from .stop_signals import StopSignals

if TYPE_CHECKING:
    from ..headless.result import HeadlessResult

PORT = click.IntRange(0, 65535)
USAGE_IN_PAGE = """
  <script type="module">
    import { RLM } from "./rlm/rlm.js";
    const rlm = new RLM({ endpoint: "https://your-server.example/api/rlm" });
    const { answer } = await rlm.run("Who signed the lease?", { context: text });
  </script>

The endpoint is a `pyodide-rlm serve` that has the site's origin in RLM_ALLOWED_ORIGINS."""
CONTEXT_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
CONTEXT_PATH = click.Path(exists=True, readable=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyodide-rlm")
def main() -> None:
    """Recursive language models in the browser: ask questions over contexts of any size."""


@main.command()
@click.option("--host", help="Address to listen on; RLM_HOST, else 127.0.0.1.")
@click.option("--port", type=PORT, help="0 takes a free one; RLM_PORT, else 8000.")
@click.option(
    "--runs",
    type=click.IntRange(0, 64),
    default=0,
    help="Answer /v1 as a model, with so many runs at once; 0: not at all.",
)
@click.option("--root-path", help="Path of a proxy that leads here, such as /ask; RLM_ROOT_PATH, else none.")
@click.option(
    "--static",
    "pages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of your own pages, served beside /rlm.",
)
def serve(host: str | None, port: int | None, runs: int, root_path: str | None, pages: Path | None) -> None:
    """Serve the page and forward its model calls; the access log goes to stderr, a JSON line each."""
    from ..http.access import JsonLines
    from ..http.app import create_app
    from ..http.serving import serve_until_signal
    from ..settings import load_settings

    with reported():
        load = partial(load_settings, host=host, port=port, root_path=root_path)
        settings = load()
        app = create_app(settings, runs=runs, pages=pages)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # after the drain it ends the server, as service managers expect
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(JsonLines())
        logging.basicConfig(level=logging.WARNING, handlers=[lines])
        logging.getLogger("rlm_server").setLevel(logging.INFO)
        serve_until_signal(app, host=settings.host, port=settings.port, ready=_say_where, reload=load)


@main.command()
@click.argument("question", required=False)
@click.option("--context", "paths", multiple=True, type=CONTEXT_PATH, help="A file or folder; may be repeated.")
@click.option("--model", help="Model of the iterations, as provider:name.")
@click.option("--sub-model", help="Model of the sub-calls; default: the same.")
@click.option("--allow-model", "allowed", multiple=True, help="A further model that code may call; may be repeated.")
@click.option("--package", "chosen_packages", multiple=True, help="Let code import what `packages add` added; repeat.")
@limit_options
@click.option("--allow-unknown-price", is_flag=True, help="Let --max-cost stand though a model's price is not known.")
@click.option(
    "--options",
    "options_file",
    type=CONTEXT_FILE,
    help="A JSON object of further options, as of BrowserRLM or in JavaScript's spelling; flags win over it.",
)
@click.option("--confirm", is_flag=True, help="Ask on the terminal before each request leaves.")
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write here, as JSON, what text left with each call, and where it went.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
@click.option(
    "--trajectory",
    "--record",
    "trajectory",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the log here, each event as it happens: what --resume, --replay, --fork and `replay` read.",
)
@click.option("--keep-images", is_flag=True, help="Hold the bytes of images in the log, beside their digests.")
@click.option("--overlap", is_flag=True, help="Send sub-calls while the reply that makes them is still being written.")
@click.option("--direct", is_flag=True, help="One call over the whole context, where it fits the model's window.")
@click.option("--schema", type=CONTEXT_FILE, help="A JSON Schema that the answer's value must fit; see --json.")
@click.option("--resume", type=CONTEXT_FILE, help="Continue the run whose log this is, over the same context.")
@click.option(
    "--replay", type=CONTEXT_FILE, help="Answer from this log alone; models, limits and context must be those of it."
)
@click.option(
    "--fork",
    type=CONTEXT_FILE,
    help="With --at: begin as the run whose log this is; without QUESTION, ask what it asked.",
)
@click.option("--at", type=click.IntRange(min=1), help="Iteration from which a fork continues live.")
@click.option("--code", type=CONTEXT_FILE, help="Of a fork: Python that iteration --at runs in place of a reply.")
def run(
    question: str | None,
    paths: tuple[Path, ...],
    model: str | None,
    sub_model: str | None,
    allowed: tuple[str, ...],
    chosen_packages: tuple[str, ...],
    allow_unknown_price: bool,
    options_file: Path | None,
    as_json: bool,
    trajectory: Path | None,
    keep_images: bool,
    overlap: bool,
    direct: bool,
    schema: Path | None,
    resume: Path | None,
    replay: Path | None,
    fork: Path | None,
    at: int | None,
    code: Path | None,
    ledger: Path | None,
    confirm: bool,
    **limits: float | None,
) -> None:
    """Ask QUESTION over the context in a headless browser, and print the answer."""
    if (fork is None) != (at is None):
        raise click.UsageError("--fork FILE and --at K belong together: the log, and the iteration to continue from.")
    if code is not None and fork is None:
        raise click.UsageError("--code FILE is for a fork: give --fork FILE and --at K with it.")
    if question is None and fork is None:
        raise click.UsageError("Missing argument 'QUESTION'; only a run with --fork has its own.")
    if confirm and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("--confirm asks on the terminal, and there is none. Use --max-context-chars instead.")
    screen = Screen(sys.stderr)
    with reported(), StopSignals() as signals:
        forked = None if fork is None else read_recording(fork)
        for path, option in ((trajectory, "--trajectory"), (ledger, "--ledger")):
            if path is not None:
                probe(path, option)
        arguments = {
            "model": model,
            "sub_model": sub_model,
            "allowed_models": allowed or None,
            "packages": chosen_packages or None,
            "allow_unknown_price": allow_unknown_price or None,
            "keep_images": keep_images or None,
            "overlap": overlap or None,
            "direct": direct or None,
            "resume": None if resume is None else log_text("--resume", resume),
            "replay": None if replay is None else read_recording(replay).log,
            "fork": None if forked is None else (forked.log, at, code and log_text("--code", code)),
            "on_egress": Confirm(screen) if confirm else None,
            "schema": None if schema is None else read_schema(schema),
            **chosen_limits(limits),
        }
        set_arguments = {name: value for name, value in arguments.items() if value is not None}
        options = chosen({} if options_file is None else read_options(options_file), set_arguments)
        asked = question if question is not None or forked is None else forked.question
        say_folders(paths)
        log, report = EventLog(trajectory), EgressReport()
        sinks = [log.take] if ledger is None else [log.take, report.take]
        written: list[bool] = []

        def deliver(result: HeadlessResult) -> None:
            written.append(print_result(result, as_json))
            written.append(ledger is None or save(ledger, report.text()))
            written.append(log.finish(result.trajectory))
            say_checks(result)

        try:
            result = HeadlessRun(own_server(), asked or "", paths, signals, options, sinks, screen).result(deliver)
        except BaseException:
            log.close()
            if ledger is not None:
                save(ledger, report.text())
            raise
    sys.exit(status_of(result, signals) if all(written) else FAULT)


@main.command()
@click.argument("file", type=CONTEXT_FILE)
@click.option("--context", "paths", multiple=True, type=CONTEXT_PATH, help="The recorded context; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
def replay(file: Path, paths: tuple[Path, ...], as_json: bool) -> None:
    """Replay the run whose log FILE is, over the same context and without any model.

    Every model call is answered from FILE. The first difference in code, output, calls or answer is an error that
    names its place, with exit status 1.
    """
    with reported(), StopSignals() as signals:
        recording = read_recording(file)
        replayed = HeadlessRun(own_server(), recording.question, paths, signals, {"replay": recording.log})
        replayed.result(lambda result: print_result(result, as_json))
    if signals.status is not None:
        sys.exit(signals.status)
    click.echo(recording.agreed(), err=True)


@main.command()
@click.argument("file", type=CONTEXT_FILE)
@click.option(
    "--format", "form", type=click.Choice(["rlms", "markdown", "html", "ipynb"]), default="rlms", show_default=True
)
def export(file: Path, form: Literal["rlms", "markdown", "html", "ipynb"]) -> None:
    """Write the trajectory FILE to stdout in the log format of `rlms`, or as a report to take along.

    A report is Markdown, one HTML file without a script, or a notebook that runs in Jupyter without a model.
    """
    from rlm_core.trajectory import read

    from .report import report
    from .rlms_log import exported

    with reported():
        trajectory = read(file)
        for note in trajectory.notes:
            click.echo(f"note: {visible(note)}", err=True)
        if form != "rlms":
            for line in report(log_text("FILE", file), form).removesuffix("\n").split("\n"):
                print_line(line)
            return
        ended = datetime.fromtimestamp(file.stat().st_mtime)
        began = ended - timedelta(seconds=trajectory.events[-1].seconds if trajectory.events else 0)
        for line in exported(trajectory.events, began=began):
            print_line(line)


@main.command("import")
@click.argument("file", type=CONTEXT_FILE)
@click.option("--context", "paths", multiple=True, type=CONTEXT_PATH, help="Look here for the answer's quotes; repeat.")
def import_(file: Path, paths: tuple[Path, ...]) -> None:
    """Write FILE, a log of rlms, dspy.RLM, fast-rlm or droste, to stdout as a trajectory, for viewing.

    With --context the quotations in its answer are looked for in these files, and listed with their places.
    """
    from dataclasses import asdict

    from rlm_core.trajectory import to_json

    from .answer_quotes import with_evidence
    from .other_logs.forms import read_other_log

    with reported():
        log = read_other_log(log_text("FILE", file))
        for note in log.notes:
            click.echo(f"note: {visible(note)}", err=True)
        events, evidence = with_evidence(log.events, paths) if paths else (log.events, ())
        for event in events:
            print_line(to_json(event))
    for line in evidence_lines([asdict(item) for item in evidence]):
        click.echo(visible(line), err=True)


@main.command()
def doctor() -> None:
    """Check browser, node, assets, providers and the engine; one line each, with the remedy."""
    from .doctor import examine

    healthy = True
    for finding in examine():
        healthy &= finding.ok
        click.echo(f"{'ok     ' if finding.ok else 'missing'} {finding.name}: {visible(finding.text)}")
    sys.exit(FINAL if healthy else FAULT)


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--page", is_flag=True, help="The whole page as well, for a site without a server, such as GitHub Pages.")
@click.option(
    "--isolate",
    is_flag=True,
    help="With --page: a service worker that isolates the page where the host sends no headers, for shared memory.",
)
def embed(folder: Path, page: bool, isolate: bool) -> None:
    """Copy into FOLDER the files with which a static site runs questions on its own pages."""
    from ..assets import find_assets, packages_folder
    from ..settings import load_settings
    from .embed import embed
    from .embed_page import embed_page, strict_policy

    if isolate and not page:
        raise click.UsageError("--isolate goes with --page. A page of your own loads isolate.js, copied beside it.")
    with reported():
        packages = packages_folder(load_settings().packages_path)
        written = embed_page(folder, packages, isolated=isolate) if page else embed(folder, packages)
        policy = strict_policy(find_assets(), ["https://your-server.example"])
    if page:
        click.echo(f"{folder}: {written / 1e6:.1f} MB. Publish the folder as it is, at any path; it needs no header.")
        return
    click.echo(
        f"{folder}: {written / 1e6:.1f} MB. In a page of the site, with its own path to that folder:\n{USAGE_IN_PAGE}"
    )
    click.echo(f"\nWhere the page has a Content-Security-Policy, it needs at least:\n\n  {policy}")


@main.command()
@click.option("--port", default=0, type=PORT, help="Default: a free one.")
def demo(port: int) -> None:
    """Ask the sample question over the bundled sample, with the built-in stand-in model; then keep serving."""
    from ..assets import find_assets

    samples = find_assets().web / "samples"
    sample = json.loads((samples / "samples.json").read_text(encoding="utf-8"))[0]
    path = samples / sample["file"]
    with reported(), StopSignals() as signals, own_server(port) as url:
        click.echo(f"Question: {sample['question']}\nContext:  {sample['title']} ({path.stat().st_size:,} bytes)")
        arguments = {"model": "builtin:extractive", "sub_model": "builtin:extractive"}
        asked = HeadlessRun(nullcontext(url), sample["question"], (path,), signals, arguments)
        result = asked.result(
            lambda result: click.echo(f"\nAnswer ({result.total_time:.1f} s):\n{visible(result.answer)}")
        )
        click.echo(f"\nThe page: {url}")
        if signals.status is None and sys.stdin.isatty() and sys.stdout.isatty():
            click.echo("Ctrl-C stops the server.")
            _wait_for_ctrl_c()
    sys.exit(status_of(result, signals))


def _say_where(url: str) -> None:
    click.echo(f"pyodide-rlm is at {url}  (Ctrl-C stops it)", err=True)


def _wait_for_ctrl_c() -> None:
    try:
        while True:
            time.sleep(3_600)  # `signal.pause` is not everywhere
    except SystemExit:
        click.echo("", err=True)


main.add_command(batch)
main.add_command(chat)
main.add_command(mcp)
main.add_command(packages)

if __name__ == "__main__":
    main()
