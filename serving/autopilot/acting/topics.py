"""Names under which an incident's workflow is known and told things."""

KIND = "incident"
"""Of the workflow; the first part of its identity."""

GREW = "grew"  # one more customer complains
ENDED = "ended"  # complaints are as rare as usual again
CONFIRM_CAUSE = "confirm_cause"
CLOSE = "close"


def reply_topic(vendor_id: str) -> str:
    """Of the signal that a vendor's answer becomes."""
    return f"reply/{vendor_id}"


def booked_topic(vendor_id: str) -> str:
    """Of the signal that its confirmation becomes."""
    return f"booked/{vendor_id}"
