"""What we do, and what came of it: policy, decisions, copy, store, service, command line."""
