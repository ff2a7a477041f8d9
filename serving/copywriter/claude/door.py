"""The SDK's client in a thread of its own, so that a deadline ends whatever it waits for.

Its time-outs are of single reads: a server that sends a byte now and then is never timed out by
them. A task on an event loop can be ended at any await, so every call is one.
"""

import asyncio
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError as Dropped
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import anthropic
import httpx2

from features.errors import ConfigurationError
from serving.copywriter.settings import ClaudeSettings

R = TypeVar("R")
Call = Callable[[anthropic.AsyncAnthropic, anthropic.Timeout], Awaitable[R]]

_CONNECT_SECONDS = 5.0
_SLACK_SECONDS = 0.5
_CLOSE_SECONDS = 5.0


class _Client(anthropic.AsyncAnthropic):
    """The SDK's client, with nothing that it would take from the environment.

    Key, address, proxy and certificates are given, retries are ours, redirects are not followed
    (a question goes nowhere else), no spans are made. What is left are headers of
    ANTHROPIC_CUSTOM_HEADERS, which it reads whatever it is given: they are taken out.
    """

    def __init__(self, settings: ClaudeSettings) -> None:
        key, proxy = settings.api_key, settings.proxy
        super().__init__(
            api_key="" if key is None else key.get_secret_value(),
            base_url=settings.base_url,
            max_retries=0,
            open_telemetry=False,
            # Its own transport asks the environment for proxies even where it must not.
            http_client=httpx2.AsyncClient(
                trust_env=False,
                proxy=None if proxy is None else proxy.get_secret_value(),
                verify=_trust(settings.ca_file),
                follow_redirects=False,
            ),
        )
        self._custom_headers = {}


@lru_cache(maxsize=8)
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to trust; read once, since that takes a tenth of a second."""
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as fault:
        raise ConfigurationError(
            f"OPPORTUNE_ANTHROPIC_CA_FILE {ca_file}: {fault}; expected certificates (PEM)"
        ) from None


class Door:
    """Runs calls of the SDK's client; opens at the first one. Safe to share between threads."""

    def __init__(self, settings: ClaudeSettings) -> None:
        # At DEBUG the SDK logs whole requests; whoever debugs the service must not log prompts.
        logging.getLogger("anthropic").setLevel(logging.WARNING)
        if settings.ca_file is not None:
            _trust(settings.ca_file)  # a wrong file is a fault of now, not of the first question
        self._settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: anthropic.AsyncAnthropic | None = None

    def run(self, call: Call[R], *, seconds: float) -> R:
        """The call's result.

        Args:
            call: Takes the client and the time-outs of its connection.
            seconds: After which TimeoutError is raised, whatever the call waits for.
        """
        loop, client = self._open()
        patience = anthropic.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))

        async def bounded() -> R:
            async with asyncio.timeout(seconds):
                return await call(client, patience)

        future = asyncio.run_coroutine_threadsafe(bounded(), loop)
        try:
            return future.result(seconds + _SLACK_SECONDS)
        except Dropped:
            raise TimeoutError from None
        finally:
            future.cancel()  # nothing happens to one that is done

    def close(self) -> None:
        """End what still runs and close all connections; the next call opens it again."""
        with self._lock:
            loop, thread, client = self._loop, self._thread, self._client
            self._loop = self._thread = self._client = None
        if loop is None or thread is None or client is None:
            return
        ending = asyncio.run_coroutine_threadsafe(_end(client), loop)
        with suppress(TimeoutError):  # what does not close in time ends with the process
            ending.result(_CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()

    def _open(self) -> tuple[asyncio.AbstractEventLoop, anthropic.AsyncAnthropic]:
        with self._lock:
            if self._loop is None or self._client is None:
                client = _Client(self._settings)
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="claude", daemon=True)
                thread.start()
                self._client, self._loop, self._thread = client, loop, thread
            return self._loop, self._client


async def _end(client: anthropic.AsyncAnthropic) -> None:
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.close()
