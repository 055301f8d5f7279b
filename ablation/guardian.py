"""The process between a worker and a command: it ends the command with all that it started.

    python -I guardian.py WORD...

Standard input is a socket to the worker. The command's exit code is written to it, or why it could not be
started; that the socket is closed says that the worker is dead, or wants the command dead. The guardian leads
the process group. It imports nothing of the package, so that it starts at once.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36  # of <sys/prctl.h>: what loses its parent becomes a child of this process


def main() -> None:
    """Run the command, say how it ended, and end what is left of it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # workers ignore it, which a command would inherit
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        said = error.strerror or type(error).__name__
    else:
        threading.Thread(target=_watch, daemon=True).start()
        said = str(child.wait())
    with suppress(OSError):  # nobody listens any more
        os.write(0, said.encode())
    _kill()


def _watch() -> None:
    with suppress(OSError):
        os.read(0, 1)
    _kill()


def _kill() -> None:
    """Kill all descendants, those in a session of their own too, and the group with this process."""
    with suppress(Exception):
        import psutil

        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                one.kill()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
