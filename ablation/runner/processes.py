"""The process that workers are forked from: it imports what they need once, while others still check."""

import multiprocessing
import os
import signal
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

PRELOAD = "ablation.runner.preload"  # imports torch and MLflow, seconds that each worker is spared


def context() -> ForkServerContext:
    """How worker processes are made: forked from a server that has imported their module, one thread each."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([PRELOAD])
    return made


def warm() -> None:
    """Start the server now, so that its imports run beside those of the caller.

    It is deaf to Ctrl-C from birth: an interrupt in the middle of its imports would print a traceback.
    """
    context()
    hearing = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, hearing)
