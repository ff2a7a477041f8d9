"""What each model is asked about in a stretch of time: one file per model."""
