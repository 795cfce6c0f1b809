"""The command `pyodide-rlm`, and what it does besides runs."""
