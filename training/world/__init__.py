"""A world whose truth is known: the protocol, and the simulated one that ships."""
