"""What we learn, and whether it is true: models, evaluation, gate, registry, bandit, world."""
