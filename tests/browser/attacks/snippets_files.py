# ruff: noqa: E501 - one attack a line
"""Attacks by way of files: out of the context's folder, onto mounted files, devices and the interpreter's own."""

from __future__ import annotations

from .snippet import Snippet

CODE = {
    "a path above the context": """
        for path in ("/context/../../etc/passwd", "/etc/passwd", "/etc/shadow", "/etc/hostname", "/home"):
            try:
                won(open(path).read())
            except OSError:
                pass
        """,
    "/proc": """
        for path in ("/proc/self/environ", "/proc/self/maps", "/proc/1/cmdline", "/sys", "/proc/self/fd"):
            try:
                won(path, open(path, "rb").read(10) if os.path.isfile(path) else os.listdir(path)) \\
                    if path != "/proc/self/fd" else None
            except OSError:
                pass
        """,
    "devices": """
        for name in os.listdir("/dev"):
            if name not in ("null", "zero", "random", "urandom", "tty", "tty1", "shm", "stdin", "stdout", "stderr", "fd"):
                won(name)
        """,
    "the terminal": "print(len(open('/dev/tty', 'rb').read(10)), len(open('/dev/stdin', 'rb').read(10)))",
    "random bytes": "won('none') if open('/dev/urandom', 'rb').read(8) == bytes(8) else None",
    "a mounted file written to": """
        before = open("/context/notes.bin", "rb").read()
        for mode in ("w", "a", "r+"):
            try:
                with open("/context/notes.bin", mode + "b", buffering=0) as file:
                    file.write(b"FORGED")
            except OSError:
                pass
        won("written") if open("/context/notes.bin", "rb").read() not in (before, b"") else None
        """,
    "a mounted file removed": """
        for act in (os.remove, os.rmdir, lambda path: os.rename(path, "/tmp/moved")):
            try:
                act("/context/notes.bin")
                won(act)
            except OSError:
                pass
        """,
    "a mounted file mapped": """
        import mmap
        with open("/context/notes.bin", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE)
            view[0:6] = b"FORGED"; view.flush()
        won("mapped") if open("/context/notes.bin", "rb").read(6) == b"FORGED" else None
        """,
    "a mounted file by its node": """
        node = pyodide_js.FS.lookupPath("/context/notes.bin").node
        blob = node.contents
        print(blob.size)
        for name in ("arrayBuffer", "stream", "text", "slice"):
            print(name, hasattr(blob, name))
        won("the path on disk") if "/" in str(getattr(blob, "webkitRelativePath", "")) else None
        """,
    "a read beyond a mounted file": """
        with open("/context/notes.bin", "rb") as file:
            file.seek(10**9)
            won("more") if file.read(100) else None
        won("more") if os.pread(os.open("/context/notes.bin", 0), 100, 10**9) else None
        """,
    "a link out of the context": """
        os.symlink("/", "/tmp/up")
        won(os.listdir("/tmp/up/etc/ssh")) if os.path.exists("/tmp/up/etc/ssh") else None
        """,
    "a link within the context": """
        os.symlink("/", "/context/up")
        won(os.listdir("/context/up/work")) if os.path.exists("/context/up/work") else None
        """,
    "a file of the context moved": """
        os.rename("/context/notes.bin", "/context/.hidden")
        won("moved") if os.path.exists("/context/.hidden") else None
        """,
    "the context written over": """
        with open("/context/notes.bin", "r+b") as file: file.write(b"FORGED")
        won("written") if open("/context/notes.bin", "rb").read(6) == b"FORGED" else None
        """,
    "a hidden file beside the context": """
        won(os.listdir("/context")) if any(name.startswith(".") for name in os.listdir("/context")) else None
        """,
    "another file beside the context": 'won(os.listdir("/context")) if os.listdir("/context") != ["notes.bin"] else None',
    "the context mounted again": """
        FS = pyodide_js.FS
        FS.mkdir("/again")
        FS.mount(FS.filesystems.WORKERFS, to_js({"files": []}), "/again")
        won(os.listdir("/again")) if os.listdir("/again") else None
        """,
    "NODEFS": """
        FS = pyodide_js.FS
        FS.mkdir("/disk")
        FS.mount(FS.filesystems.NODEFS, to_js({"root": "/"}), "/disk")
        won(os.listdir("/disk"))
        """,
    "the environment": 'won(os.environ) if any("KEY" in name or "planted" in value for name, value in os.environ.items()) '
    "else None",
    "the core's own archive": """
        source = open("/lib/rlm_core.zip", "rb").read()
        won("a key") if b"planted" in source else None
        open("/lib/rlm_core.zip", "wb").write(b"FORGED")
        """,
    "a standard library of one's own": """
        import pathlib
        for folder in [path for path in sys.path if os.path.isdir(path)][:1] or ["/tmp"]:
            pathlib.Path(folder, "statistics.py").write_text("print('FORGED')")
        """,
    "secrets in the heap": """
        import re
        size = pyodide_js._module.HEAPU8.length
        for at in range(8, size, 1 << 24):
            piece = ctypes.string_at(at, min(1 << 24, size - at))
            for secret in (rb"planted.secret.[a-z]+.[0-9a-f]{4}", rb"p.l.a.n.t.e.d...s.e.c.r.e.t...[a-z.]+[0-9]"):
                won(re.findall(secret, piece)) if re.search(secret, piece) else None
        """,
}
SNIPPETS = tuple(
    Snippet(name, "files", code, alone=name in ("a mounted file mapped",), ends=("final_answer", "worker_lost"))
    for name, code in CODE.items()
)
