"""Where decisions, messages and outcomes are kept; SQLAlchemy lives here and nowhere else."""
