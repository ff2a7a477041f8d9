"""The dry run: messages are written to a folder instead of being sent."""

import hashlib
import json
import os
from pathlib import Path

from serving.copy.settings import CopySettings
from serving.delivery.letter import write_letter
from serving.delivery.parcel import HandedOver, Moment, Parcel, Receipt, TryAgain


class FolderTransport:
    """Writes each message to a file of its own: .eml for e-mail, .json for the other channels."""

    def __init__(self, folder: Path, *, sender: str, copy: CopySettings) -> None:
        """Write into a folder, which is made with the first message."""
        self._folder = folder
        self._sender = sender
        self._copy = copy

    def hand_over(self, parcel: Parcel, _moment: Moment) -> Receipt:
        """Write its file, whole or not at all; again, the same file."""
        is_letter = parcel.content.subject is not None and parcel.content.plain_text is not None
        path = self._folder / f"{name_file(parcel.message_id)}{'.eml' if is_letter else '.json'}"
        content = (
            write_letter(parcel, sender=self._sender, copy=self._copy).as_bytes()
            if is_letter
            else _describe(parcel)
        )
        return write_whole(path, content)


def write_whole(path: Path, content: bytes) -> Receipt:
    """Write a file, whole or not at all, in a folder that is made where it is missing."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as fault:
        return TryAgain(f"{path.name}: {fault.strerror}")
    return HandedOver(str(path))


def name_file(message_id: str) -> str:
    """A file name that tells messages apart and leads out of no folder.

    >>> name_file("../a b")
    '___a_b-f20d9ce8'
    """
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in message_id)[:80]
    digest = hashlib.blake2b(message_id.encode(), digest_size=4).hexdigest()
    return f"{plain}-{digest}"


def _describe(parcel: Parcel) -> bytes:
    described = {
        "message_id": parcel.message_id,
        "customer_id": parcel.customer_id,
        "channel": parcel.channel.value,
        "trigger": parcel.trigger.value,
        "planned_at": parcel.planned_at.isoformat(),
        "content": parcel.content.model_dump(mode="json"),
    }
    return json.dumps(described, ensure_ascii=False, indent=1).encode()
