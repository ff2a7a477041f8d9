"""The log of what was seen, thought, decided, done and said, chained so that changes show."""
