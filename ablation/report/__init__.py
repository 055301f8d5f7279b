"""Effects to tables, figures and files. `tables` loads quickly; `figures` and `export` load matplotlib."""
