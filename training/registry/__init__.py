"""Models on their way from training to serving: what is served, and where it is kept."""

import os

# MLflow reads this on import; it must stand before anything here brings MLflow in.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
