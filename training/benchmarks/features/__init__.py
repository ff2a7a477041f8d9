"""Features of ten million events, ours beside the same written by hand."""
