"""What the process that workers are forked from imports first: fewer garbage collections while it imports.

Half a million objects come with MLflow and what trains, and stay: to look through them again and again
takes a second.
"""

import gc

gc.set_threshold(100_000)
