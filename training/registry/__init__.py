"""Models on their way from training to serving: what is served, and where it is kept."""
