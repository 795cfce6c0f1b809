"""Package commands: `pyodide-rlm packages add|list|remove|where`.

In: names of packages. Out: a line for each. What is kept and how it is checked is the matter of `packages.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .exit_status import reported

if TYPE_CHECKING:
    from .packages import Store


@click.group()
def packages() -> None:
    """Packages that model code may import beside the built-in ones: pandas, matplotlib, and their like.

    They are kept beside the server, checked by hash, and reach a worker when its run's option `packages` (--package)
    names them and its code imports them.
    """


@packages.command("add")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--from", "source", help="Address or folder of Pyodide's distribution; default: where Pyodide publishes it."
)
def add_packages(names: tuple[str, ...], source: str | None) -> None:
    """Add NAMES, with all that they need: name or name==version.

    A name is looked up in the lock file of Pyodide's distribution, else pip finds a wheel for this interpreter.
    """
    with reported():
        added = _package_store(source).add(names)
    for package in added:
        click.echo(f"added {package['name']} {package['version']} (import {', '.join(package['imports'])})")
    if not added:
        click.echo("nothing to add: all of it is there")


@packages.command("list")
def list_packages() -> None:
    """List what was added: name, version, import names, needed packages."""
    with reported():
        kept = _package_store().packages()
    for name, package in kept.items():
        needs = f"; needs {', '.join(package['depends'])}" if package["depends"] else ""
        click.echo(f"{name} {package['version']} (import {', '.join(package['imports'])}{needs})")


@packages.command("remove")
@click.argument("names", nargs=-1, required=True)
def remove_packages(names: tuple[str, ...]) -> None:
    """Remove NAMES; what they needed stays."""
    with reported():
        for file in _package_store().remove(names):
            click.echo(f"removed {file}")


@packages.command("where")
def where_packages() -> None:
    """Print the folder that holds them."""
    with reported():
        click.echo(_package_store().folder)


def _package_store(source: str | None = None) -> Store:
    from ..assets import find_assets, packages_folder
    from ..settings import load_settings
    from .packages import Interpreter, Store

    return Store(packages_folder(load_settings().packages_path), Interpreter.of(find_assets().assets), source)
