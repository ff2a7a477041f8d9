"""Ways on which notices go: a folder (the dry run), mail, signed webhooks, Apprise."""

import json
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from features.errors import ConfigurationError
from serving.delivery.files import name_file, write_whole
from serving.delivery.letter import start_letter
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.live.transport import judge_answer
from serving.delivery.live.webhook import SignedPost
from serving.delivery.notices.parties import PartySettingsFile, WaySettings
from serving.delivery.notices.queue import FOLDER, Messenger
from serving.delivery.parcel import Moment, Receipt
from serving.lines import put_on_one_line
from serving.store.notice_outbox import Telling
from serving.store.notices import Notice


@dataclass(frozen=True)
class FolderMessenger:
    """The dry run: each notice is a file of its own."""

    folder: Path

    def tell(self, telling: Telling, _moment: Moment) -> Receipt:
        """Write its file, whole or not at all; again, the same file."""
        path = self.folder / f"notice-{name_file(telling.notice.key)}.json"
        return write_whole(path, _describe(telling, with_way=False))


@dataclass(frozen=True)
class WebhookMessenger:
    """Posts notices to a receiver that takes each key once."""

    post: SignedPost

    def tell(self, telling: Telling, moment: Moment) -> Receipt:
        """Post it under its handover_id."""
        body = _describe(telling, with_way=True)
        answer = self.post.post(body, key=telling.handover_id, now=moment.now)
        return judge_answer(answer, host=self.post.host)


@dataclass(frozen=True)
class MailMessenger:
    """Mails notices as plain text."""

    relay: SmtpRelay
    sender: str
    to: str

    def tell(self, telling: Telling, moment: Moment) -> Receipt:
        """Write it and send it."""
        notice = telling.notice
        letter = start_letter(
            telling.handover_id, sender=self.sender, to=self.to, at=notice.made_at
        )
        letter["Subject"] = put_on_one_line(notice.subject)
        letter["Content-Language"] = put_on_one_line(notice.language)
        letter["Auto-Submitted"] = "auto-generated"
        letter["X-Opportune-Notice"] = put_on_one_line(notice.key)
        letter.set_content(notice.body)
        return self.relay.send(letter, to=parseaddr(self.to)[1], begin=moment.begin)


def make_messengers(
    parties: PartySettingsFile,
    *,
    relay: SmtpRelay | None,
    sender: str,
    secrets: Secrets,
    stack: ExitStack,
) -> Mapping[str, Messenger]:
    """A messenger for each way in the file; ConfigurationError names what is missing.

    Args:
        parties: Who can be told something.
        relay: Of mailed notices; None where there is none.
        sender: From whom those are.
        secrets: That the file names.
        stack: Closes what is opened here.
    """
    return {
        place: make_messenger(place, way, relay=relay, sender=sender, secrets=secrets, stack=stack)
        for place, way in parties.list_ways().items()
    }


def make_messenger(
    place: str,
    way: WaySettings,
    *,
    relay: SmtpRelay | None,
    sender: str,
    secrets: Secrets,
    stack: ExitStack,
) -> Messenger:
    """The messenger of one way; ConfigurationError names what is missing."""
    if way.webhook is not None:
        post = stack.enter_context(closing(SignedPost(way.webhook, secrets=secrets)))
        return WebhookMessenger(post)
    if way.mail is not None:
        if relay is None:
            raise ConfigurationError(
                f"parties: {place}: mail needs the smtp of email in the file of transports"
            )
        return MailMessenger(relay, sender, way.mail)
    # Apprise takes half a second to load: only who uses it waits for it.
    from serving.delivery.notices.apprise_door import AppriseMessenger

    if way.apprise is None:
        raise ConfigurationError(f"parties: {place}: expected apprise, mail or webhook")
    return AppriseMessenger(secrets.read(way.apprise), variable=way.apprise.env)


def make_folder_messengers(folder: Path) -> Mapping[str, Messenger]:
    """The one way of the dry run."""
    return {FOLDER: FolderMessenger(folder)}


def _describe(telling: Telling, *, with_way: bool) -> bytes:
    """The JSON of a notice; the same notice gives the same bytes."""
    notice: Notice = telling.notice
    data = {
        "notice": notice.key,
        "to": {"kind": notice.to.kind.value, "name": notice.to.name},
        "subject": notice.subject,
        "body": notice.body,
        "language": notice.language,
        "is_urgent": notice.is_urgent,
        "expires_at": None if notice.expires_at is None else notice.expires_at.isoformat(),
        "workflow_id": notice.workflow_id,
        "reply_topic": notice.reply_topic,
    }
    if with_way:
        data["way"] = telling.way
    payload = {"type": "notice", "timestamp": notice.made_at.isoformat(), "data": data}
    return json.dumps(payload, ensure_ascii=False, indent=None if with_way else 1).encode()
