"""From decided messages to messages that are handed over: once, in time, and still allowed."""
