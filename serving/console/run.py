"""The review on this machine: a server of its own, and an address that lets one person in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import uvicorn

from features.errors import ConfigurationError
from serving.console.access import OneTimeDoor, Role, Visitor
from serving.console.app import Guarding, make_app
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.launch import find_free_port, require_free_port

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_N_SECRET_BYTES: Final = 32


@dataclass(frozen=True)
class ReviewAddress:
    """Where the review listens.

    Attributes:
        host: Name or IPv4 address of this machine; loopback unless others shall reach it.
        port: Zero for any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 0


def run_review(
    desk: Desk,
    *,
    gallery: Gallery,
    reviewer: str,
    say: Callable[[str], None],
    address: ReviewAddress = ReviewAddress(),
) -> None:
    """Serve the review until interrupted.

    Args:
        desk: Variants, and the clock by which verdicts are dated.
        gallery: Draws texts.
        reviewer: Whose verdicts they are.
        say: Is told the address to open; its token lets one browser in, once.
        address: Where to listen.

    Raises:
        ConfigurationError: If the port is taken, or the host is none of this machine's.
    """
    port = _find_port(address)
    door = OneTimeDoor(Visitor(reviewer, Role.OPERATOR))
    app = make_app(
        desk,
        gallery=gallery,
        door=door,
        guarding=Guarding(
            secret=secrets.token_urlsafe(_N_SECRET_BYTES),
            hosts=[address.host, *_LOOPBACK],
            cookie=f"opportune_console_{port}",
        ),
    )
    say(f"open http://{address.host}:{port}/enter?token={door.token}")
    if address.host not in _LOOPBACK:
        say(f"what goes to {address.host} is not encrypted: use it in networks that you trust")
    say(f"decisions are kept as {reviewer}'s; the address works once; Ctrl+C ends the review")
    uvicorn.run(
        app,
        host=address.host,
        port=port,
        log_level="warning",
        access_log=False,  # it would write the token down
        server_header=False,
    )


def _find_port(address: ReviewAddress) -> int:
    try:
        port = address.port or find_free_port(address.host)
    except OSError as fault:
        raise ConfigurationError(
            f"cannot listen on {address.host}: {fault.strerror}; "
            "expected a name or an IPv4 address of this machine"
        ) from None
    require_free_port(address.host, port)
    return port
