"""What happened, as the tables of the contracts."""
