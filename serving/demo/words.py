"""A decision in words, for a person to read."""

from features.vocabulary import Channel
from serving.records import Decision

_CHANNELS = {
    Channel.EMAIL: "e-mail",
    Channel.SMS: "SMS",
    Channel.PUSH: "push",
    Channel.IN_APP: "in-app message",
    Channel.WHATSAPP: "WhatsApp",
}


def describe_decision(decision: Decision) -> tuple[str, ...]:
    """What was decided, why, and what is sent; a sentence or two each."""
    case = (
        f"Customer {decision.customer_id}, {_words(decision.trigger)}, decided "
        f"{decision.decided_at:%d %B %Y %H:%M} UTC in the {decision.arm} arm."
    )
    if not decision.send or decision.send_at is None or decision.content is None:
        return (case, f"Nothing is sent: {_words(decision.reason)}.")
    action = (
        f"Sent by {' and '.join(_CHANNELS[channel] for channel in decision.channels)} at "
        f"{decision.send_at:%d %B %H:%M} UTC with the words {decision.variant}. This very action "
        f"had probability {decision.propensity:.4f} among {len(decision.allowed)} that the guards "
        "allowed."
    )
    lines = [case, action]
    if decision.scores is not None:
        terms = decision.scores
        lines.append(
            f"Expected to be worth {terms.net_cents:.2f} cents against no message: "
            f"{terms.outcome_cents:.2f} from what it causes, {terms.support_cents:.2f} from calls "
            f"it prevents, less {terms.send_cents:.2f} to send and "
            f"{terms.wearing_out_cents:.2f} for wearing the customer out."
        )
    text = decision.content.plain_text or decision.content.body
    subject = f"{decision.content.subject} - " if decision.content.subject else ""
    lines.append(f"It says: {subject}{' '.join(text.split())}")
    return tuple(lines)


def _words(name: str) -> str:
    return name.replace("_", " ")
