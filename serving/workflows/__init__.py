"""Durable workflows: what goes on for minutes or months, and is done once whatever crashes."""
