"""Serving the dashboard."""

import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, NoReturn
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from bottle import Bottle, HTTPResponse, request
from optuna_dashboard import wsgi

from nas.dashboard.view import View
from nas.errors import InputError
from nas.study.storage import open_storage

STUDY = "/api/studies/<study_id:int>"
INFEASIBLE = "Infeasible"
READS = ("GET", "HEAD")


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request: a browser keeps connections open that it does not use."""

    daemon_threads = True


class Server6(Server):
    """The same for IPv6."""

    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def open_view(url: str, models: tuple[Path, ...] = ()) -> View:
    """The database of a URL as the dashboard shows it; exported models are also looked for in `models`."""
    view = open_storage(url, must_exist=True, kind=View)
    view.models = models
    return view


def serve(view: View, host: str, port: int, allow_remote: bool = False) -> Server:
    """A server that listens, and answers once its `serve_forever` is called. Port 0 takes any free one.

    Raises `InputError` where it cannot listen, and for a host that others can reach unless `allow_remote`: whoever
    reaches the dashboard can use it.
    """
    addresses = _addresses(host)
    if not allow_remote and not all(address.is_loopback for address in addresses):
        raise InputError(
            f"the dashboard has no password, so its host must be this machine alone, such as 127.0.0.1, but got "
            f"{host!r}: add --allow-remote to let others see it"
        )
    kind = Server6 if all(address.version == 6 for address in addresses) else Server
    try:
        return make_server(host, port, app(view, host), server_class=kind, handler_class=_Quiet)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise InputError(
            f"the port must be free, but {host}:{port} {'is in use' if taken else f'is not ({error.strerror})'}: "
            "give another --port"
        ) from error


def app(view: View, host: str = "127.0.0.1") -> Bottle:
    """optuna-dashboard on a view, which shows and changes nothing but notes; `host` is what it listens on."""
    dashboard = wsgi(view, artifact_store=view.artifacts)
    names = {"localhost", host, socket.gethostname(), socket.getfqdn()}
    dashboard.add_hook("before_request", lambda: _refuse_foreign({name.lower() for name in names}))
    dashboard.add_hook("before_request", _refuse_changes)
    dashboard.install(_Preparing(view))
    return dashboard


class _Preparing:
    """A Bottle plugin: what is new in a study is prepared before it is sent, and rejected trials are marked in it.

    That needs more than constraints: 0.21 shows them for completed trials only, and a rejected one is pruned. The trial
    list shows whatever word the state is.
    """

    name = "nas"
    api = 2

    def __init__(self, view: View) -> None:
        self._view = view

    def apply(self, callback: Callable[..., Any], route: Any) -> Callable[..., Any]:
        """Wraps the routes that read a study: the dashboard keeps trials for seconds, as the first of them got them."""
        if not route.rule.startswith(STUDY) or route.method != "GET":
            return callback

        def prepared(study_id: int, **rest: Any) -> Any:
            with suppress(KeyError):  # there is no such study: the dashboard says so
                self._view.prepare(study_id)
            sent = callback(study_id=study_id, **rest)
            return _marked(sent) if route.rule == STUDY else sent

        return prepared


def _marked(sent: Any) -> Any:
    for trial in sent.get("trials", ()) if isinstance(sent, dict) else ():
        if any(violation > 0 for violation in trial["constraints"]):
            trial["state"] = INFEASIBLE
    return sent


def _refuse_foreign(names: Collection[str]) -> None:
    """Another page in the same browser must not read studies, or write notes.

    It could have its own name lead to this machine (DNS rebinding): then the name that is asked for is not one of ours.
    Or it asks for ours: then the browser says where the question is from.
    """
    host = request.get_header("Host", "")
    name = (urlsplit(f"//{host}").hostname or "").lower()
    if name not in names and not _is_address(name):
        _refuse(f"the dashboard must be asked for by a name of this machine, but got {name!r}")
    origin = request.get_header("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        _refuse(f"the dashboard answers its own pages alone, but one of {origin!r} asked")


def _is_address(name: str) -> bool:
    """Whether it is no name, but an address, which nobody else can have lead here."""
    with suppress(ValueError):
        ip_address(name)
        return True
    return False


def _refuse_changes() -> None:
    """Deleting or renaming a study would pull it from under its search and its checkpoints."""
    if request.method in READS or (request.method == "PUT" and request.path.endswith("/note")):
        return
    _refuse("nas dashboard shows studies and changes nothing but notes")


def _refuse(reason: str) -> NoReturn:
    raise HTTPResponse(json.dumps({"reason": reason}), 403, {"Content-Type": "application/json"})


def _addresses(host: str) -> list[Any]:
    try:
        infos = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"the host must be an address of this machine, but {host!r} is none: give 127.0.0.1"
        ) from error
    return [ip_address(str(info[4][0]).split("%")[0]) for info in infos]


def can_show_a_browser() -> bool:
    """Whether there is a screen; without one, a browser in text mode would take the terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
