"""A Ray cluster: getting to it, what it has room for, and noticing that it is gone."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray.exceptions import RayError

from nas.errors import InputError, first_line
from nas.execution.placement import LOCAL, Placement, n_cores

REACH_SECONDS = 10.0  # for a cluster's head to answer
LOOK_SECONDS = 1.0
# Ray ends this process by itself, without a word to it, a minute after the head fell silent, and some ten seconds after
# the node that it is connected to. A head may come back in that time.
HEAD_SECONDS, NODE_SECONDS = 45.0, 3.0


def connect(address: str | None) -> None:
    """Connects this process to a cluster, once; without an address, and without RAY_ADDRESS, one is started here.

    Raises `InputError` where there is none.
    """
    if ray.is_initialized():
        return
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing that nas does calls home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as Ray will do anyway; it warns otherwise
    of_its_own: dict[str, Any] = {"num_cpus": n_cores(), "include_dashboard": False} if address == LOCAL else {}

    _keep_quiet()
    try:
        with _signals_as_they_are():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **of_its_own)
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise _no_cluster(address, first_line(error)) from error


def n_places(placement: Placement) -> int:
    """How many candidates the cluster has room for, as it is now and if nothing else runs there; at least one.

    Raises `InputError` where there is no such cluster.
    """
    connect(placement.ray_address)
    return _n_places_now(placement)


def _n_places_now(placement: Placement) -> int:
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    places = [there.get("CPU", 0.0) / (placement.threads or 1)]
    if placement.gpus_per_candidate > 0:
        places.append(there.get("GPU", 0.0) / placement.gpus_per_candidate)
    return max(1, int(min(places) + 1e-9))


class Room:
    """How many candidates the cluster has room for, as nodes come and go: asked again by a thread of its own, since a
    head that is gone does not answer."""

    def __init__(self, placement: Placement) -> None:
        self.n_places = n_places(placement)
        self._placement, self._stopped = placement, threading.Event()
        threading.Thread(target=self._look, name="nas-ray-room", daemon=True).start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            with suppress(RayError, RuntimeError, OSError):  # it is away, which `Watch` says if it stays so
                self.n_places = _n_places_now(self._placement)


class Watch:
    """Calls `gone` once, with the reason, when the cluster's head or this process's own node falls silent."""

    def __init__(self, gone: Callable[[str], None]) -> None:
        self._gone, self._stopped = gone, threading.Event()
        own_node = ray.get_runtime_context().get_node_id()
        node = next(each for each in ray.nodes() if each["NodeID"] == own_node)  # type: ignore[no-untyped-call]
        self._watched = (
            (_host_and_port(ray.get_runtime_context().gcs_address), HEAD_SECONDS, "the head of the Ray cluster"),
            ((node["NodeManagerAddress"], node["NodeManagerPort"]), NODE_SECONDS, "the Ray node of the search"),
        )
        threading.Thread(target=self._look, name="nas-ray-watch", daemon=True).start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopped.set()

    def _look(self) -> None:
        answered = dict.fromkeys((what for _, _, what in self._watched), time.monotonic())
        while not self._stopped.wait(LOOK_SECONDS):
            for address, most_seconds, what in self._watched:
                if _answers(address):
                    answered[what] = time.monotonic()
                elif time.monotonic() - answered[what] > most_seconds:
                    self._gone(f"{what} does not answer any more: start it again")
                    return


def _answers(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, LOOK_SECONDS).close()
    except OSError:
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _check_reachable(address: str) -> None:
    """Ray itself would try for two minutes."""
    if "://" in address or not address.rpartition(":")[2].isdigit():
        return  # local, auto, or a client's address, of which Ray knows more
    try:
        socket.create_connection(_host_and_port(address), REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, reason: str) -> InputError:
    token = "" if "RAY_AUTH_MODE" in os.environ else "; where it asks for a token, set RAY_AUTH_MODE=token"
    return InputError(
        f"the address must be that of a Ray cluster that runs, but {address!r} cannot be used ({reason}): start one "
        f"with ray start --head, or leave out --ray-address{token}"
    )


def _keep_quiet() -> None:
    """Ray prints what befalls nodes to standard output, whatever it is told: into tables, and into JSON."""
    ray._private.worker.print_to_stdstream = lambda *args, **settings: None


@contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Ray takes SIGTERM for itself: it would end the process where a search only wants to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
