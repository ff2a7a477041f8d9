"""Messages: what is sent, how customers respond, what comes of it."""
