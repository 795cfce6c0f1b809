"""`python -m rlm_server` is the command `pyodide-rlm`."""

from .cli import main

main()
