"""A study to recorded runs: one coordinator writes to Optuna, pure workers turn specs into runs."""
