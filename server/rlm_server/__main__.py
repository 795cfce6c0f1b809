"""`python -m rlm_server` is the command `pyodide-rlm`."""

from .command.start import main

main()
