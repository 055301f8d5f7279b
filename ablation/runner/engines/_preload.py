"""What the process that workers are forked from imports first: fewer garbage collections while it imports.

Half a million objects come with MLflow and what trains, and stay: to look through them again and again
takes a second.

It was born with Ctrl-C blocked (`local.warm`). From here on Ctrl-C is ignored instead: what workers start
would inherit the block.
"""

import gc
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
gc.set_threshold(100_000)
