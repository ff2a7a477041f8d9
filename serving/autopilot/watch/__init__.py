"""The live watcher: messages as they arrive, incidents as they begin, grow and end."""
