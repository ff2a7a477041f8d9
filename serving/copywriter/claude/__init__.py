"""The door to the Messages API: nothing else of ours knows the `anthropic` package."""

from serving.copywriter.claude.claude import Claude

__all__ = ["Claude"]
