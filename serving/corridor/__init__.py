"""The corridor of trust: what may be done without asking, for how much, and who can stop it."""
