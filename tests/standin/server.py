"""The stand-in as a server: uvicorn in a thread, and the fixture that others use."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from tests.standin.app import Standin

_START_SECONDS = 10.0


@contextmanager
def serving(standin: Standin) -> Iterator[Standin]:
    """Serve on a free port of loopback until the block ends."""
    # asyncio switches Nagle off only where the protocol is named; with it every answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        standin.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            standin,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=0,
        )
        server = uvicorn.Server(config)
        ready = threading.Event()

        async def run() -> None:
            asyncio.get_running_loop().call_later(0.0, ready.set)
            await server.serve(sockets=[listening])

        thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        thread.start()
        assert ready.wait(_START_SECONDS)
        try:
            yield standin
        finally:
            server.should_exit = server.force_exit = True
            thread.join(_START_SECONDS)


@pytest.fixture(scope="session")
def standin_server() -> Iterator[Standin]:
    """One server for a whole run."""
    with serving(Standin()) as standin:
        yield standin


@pytest.fixture
def standin(standin_server: Standin) -> Standin:
    """The Messages API on loopback, as new."""
    standin_server.reset()
    return standin_server
