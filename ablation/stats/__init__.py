"""A tidy frame of runs to effects, verdicts and caveats; owns scipy."""
