"""Effects to tables, figures and pages. `table` and `formats` load quickly; what draws loads matplotlib."""
