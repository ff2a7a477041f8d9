"""What we know about a customer at a moment: tables, sources, point-in-time features, triggers."""
