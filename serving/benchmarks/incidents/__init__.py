"""The detector beside others, on made-up chains with incidents whose moment is known."""
