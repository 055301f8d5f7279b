"""A gate before a server: shut, the server is away for whoever comes through it; open, it is back at once."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from servers import free_port


class Gate:
    """Passes connections on to a port of this machine while it is open.

    Shut, it refuses them and has cut those that stood; dumb, it takes them and says nothing.
    """

    def __init__(self, behind: int) -> None:
        self.behind, self.port, self.dumb = behind, free_port(), False
        self._listener: socket.socket | None = None
        self._standing: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._serve, args=[self._listener], daemon=True).start()

    def open_in(self, seconds: float) -> threading.Timer:
        """Open after so many seconds; a timer to join."""
        timer = threading.Timer(seconds, self.open)
        timer.start()
        return timer

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # or else who waits in `accept` takes one more
            listener.close()
        standing, self._standing = self._standing, []
        for one in standing:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                ours, _ = listener.accept()
                self._standing.append(ours)
                if not self.dumb:
                    theirs = socket.create_connection(("127.0.0.1", self.behind))
                    self._standing.append(theirs)
                    for pair in ((ours, theirs), (theirs, ours)):
                        threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def gate(behind: int) -> Iterator[Gate]:
    made = Gate(behind)
    try:
        yield made
    finally:
        made.shut()
