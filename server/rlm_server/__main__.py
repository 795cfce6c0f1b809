"""`python -m rlm_server` is the command `pyodide-rlm`."""

from .command.cli import main

main()
