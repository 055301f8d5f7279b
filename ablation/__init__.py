"""Experiment-tracked ablation studies: data, learn, track, sweep, analyse, export, in that order."""

__version__ = "0.1.0"
