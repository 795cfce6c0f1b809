"""llama.cpp's own HTTP server with one slot, as the package xllamacpp carries it; runs in a virtual environment apart.

Usage: `python llama_server.py MODEL.gguf PORT WINDOW`. It prints its address as soon as it listens: the model is loaded
afterwards, and requests are answered with 503 until then.
"""

from __future__ import annotations

import sys
import time

import xllamacpp  # type: ignore[import-not-found]


def main(model: str, port: str, window: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = ["smollm2"]
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_ctx = int(window)
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
