"""What the autopilot does about a burst of complaints, within the corridor."""
