# ruff: noqa: E501 - one attack a line
"""Attacks that try to keep something for a later page, or to read another one's."""

from __future__ import annotations

from .snippet import Snippet

CODE = {
    "indexedDB.open": 'won(grab("indexedDB").open("kept"))',
    "indexedDB.databases": 'won(grab("indexedDB").databases())',
    "caches.open": 'won(grab("caches").open("kept"))',
    "caches.keys": 'won(grab("caches").keys())',
    "the origin's private files": 'won(grab("navigator").storage.getDirectory())',
    "an estimate of the store": 'won(grab("navigator").storage.estimate())',
    "a storage bucket": 'won(grab("navigator").storageBuckets.open("kept"))',
    "a lock": 'won(grab("navigator").locks.request("kept", take_this))',
    "which locks are held": 'won(grab("navigator").locks.query())',
    "a BroadcastChannel": 'grab("BroadcastChannel").new("planted").postMessage(context); won("spoke")',
    "a hook on BroadcastChannel": 'c = grab("BroadcastChannel").new("planted"); c.onmessage = take_this; won("listens")',
    "the cookie store": 'won(grab("cookieStore").get("planted"))',
    "document.cookie": 'won(grab("document").cookie)',
    "localStorage": 'won(grab("localStorage").getItem("planted"))',
    "sessionStorage": 'won(grab("sessionStorage").getItem("planted"))',
    "IDBFS": """
        FS = pyodide_js.FS
        FS.mkdir("/kept"); FS.mount(FS.filesystems.IDBFS, to_js({}), "/kept")
        def synced(error=None):
            won("synced") if error is None else None
        FS.syncfs(True, create_proxy(synced))
        grab("indexedDB"); won("IDBFS has a store")
        """,
    "mountNativeFS": 'won(pyodide_js.mountNativeFS("/native", grab("navigator").storage.getDirectory()))',
    "the old file system": 'won(grab("webkitRequestFileSystemSync")(0, 1024).root)',
    "a file system URL": 'won(grab("webkitResolveLocalFileSystemSyncURL")("filesystem:" + URL))',
    "a notification": 'won(grab("Notification").permission)',
    "a persistent permission": 'won(grab("navigator").permissions.query)',
}  # fmt: skip
CONTROLLED = {
    "indexedDB.open", "indexedDB.databases", "caches.open", "caches.keys", "the origin's private files", "a lock",
    "an estimate of the store", "which locks are held", "a BroadcastChannel", "a hook on BroadcastChannel",
    "IDBFS", "mountNativeFS", "a notification", "a persistent permission", "a storage bucket",
}  # fmt: skip

SNIPPETS = tuple(Snippet(name, "storage", code, control=name in CONTROLLED) for name, code in CODE.items())
