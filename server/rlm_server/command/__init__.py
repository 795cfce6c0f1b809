"""The command `pyodide-rlm` and its subcommands."""
