"""The declarations themselves, by subject; `features.churn` and `features.engagement` choose."""
