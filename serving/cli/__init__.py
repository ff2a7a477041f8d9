"""The command line: one console script, `opportune`."""
