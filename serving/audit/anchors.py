"""Anchors: the head of the log on a day, signed, to be kept where the log is not.

Ed25519 of the library `cryptography`: whoever has the public key can check an anchor without the
house, and nobody who holds only that key can make one.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import BadInputError, ConflictError, SourceUnreadableError
from serving.audit.entries import write_canonically
from serving.faults import describe_validation


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the log was at a moment.

    Attributes:
        seq: Number of its last row, which is how many there were.
        head: Hash of that row.
        at: When, in ISO 8601.
    """

    seq: int
    head: str
    at: str

    @classmethod
    def of(cls, seq: int, head: str, *, at: datetime) -> Self:
        """The anchor of a head at a moment."""
        return cls(seq, head, at.isoformat(timespec="seconds"))

    @property
    def signed_part(self) -> bytes:
        """What the signature is about."""
        return f"opportune audit anchor {write_canonically(asdict(self))}".encode()


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = Field(ge=0)
    head: str = Field(pattern=r"^[0-9a-f]{64}$")
    at: str = Field(min_length=1)
    signature: str


def make_keys(folder: Path) -> tuple[Path, Path]:
    """A new pair of keys: the private one, which only its owner may read, and the public one.

    Raises:
        ConflictError: There are keys in that folder; they are left alone.
    """
    private, public = folder / "anchor.key", folder / "anchor.pub"
    if private.exists() or public.exists():
        raise ConflictError(f"{folder}: there is an anchor.key or anchor.pub already")
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private.touch(mode=0o600, exist_ok=False)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key that signs; SourceUnreadableError where the file holds none."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SourceUnreadableError(f"{path}: expected a private Ed25519 key in PEM, unencrypted")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The key that checks; SourceUnreadableError where the file holds none."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SourceUnreadableError(f"{path}: expected a public Ed25519 key in PEM")
    return key


def name_anchor_file(at: datetime) -> str:
    """Name of the file for anchors of a day, in the clock of `at`.

    >>> name_anchor_file(datetime(2026, 6, 10))
    'anchor-2026-06-10.jsonl'
    """
    return f"anchor-{at:%Y-%m-%d}.jsonl"


def write_anchor(anchor: Anchor, *, key: Ed25519PrivateKey) -> str:
    """The anchor as one line of JSON with its signature: for a file, or a mail."""
    signature = base64.b64encode(key.sign(anchor.signed_part)).decode()
    return write_canonically(asdict(anchor) | {"signature": signature})


def read_anchors(text: str, *, key: Ed25519PublicKey, place: str) -> list[Anchor]:
    """Anchors of a text, one a line; lines that begin with no brace are words of a mail.

    Raises:
        BadInputError: There is none; or lines are no anchors, or not signed with that key: all of
            them are named.
    """
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1)]
    anchors: list[Anchor] = []
    faults: list[str] = []
    for n, line in lines:
        if not line.startswith("{"):
            continue
        read = _read_line(line, key=key)
        if isinstance(read, Anchor):
            anchors.append(read)
        else:
            faults.append(f"line {n}: {read}")
    if faults:
        raise BadInputError(f"{place}: {'; '.join(faults)}")
    if not anchors:
        raise BadInputError(f"{place}: holds no anchor, expected at least one line of JSON")
    return anchors


def _read_line(line: str, *, key: Ed25519PublicKey) -> Anchor | str:
    """The anchor, or what is wrong with it."""
    try:
        given = _Line.model_validate(json.loads(line))
        anchor = Anchor(given.seq, given.head, given.at)
        key.verify(base64.b64decode(given.signature, validate=True), anchor.signed_part)
    except ValidationError as fault:
        return describe_validation(fault)
    except (InvalidSignature, binascii.Error):
        return "not signed with this key, or changed since"
    except ValueError as fault:
        return f"no JSON: {fault}"
    return anchor


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise SourceUnreadableError(f"{path}: {fault.strerror}") from fault
