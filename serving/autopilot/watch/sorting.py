"""What messages are about, without ever holding up those that need no model."""

import logging
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.triage import Triage
from serving.store.inbound import ArrivedMessage

_AT_ONCE: Final = 8
_log = logging.getLogger("opportune.watch")


@dataclass(frozen=True)
class _Asked:
    """A message that a model was asked about."""

    since: datetime
    answer: Future[Triaged]


class Sorter:
    """Sorts messages offline at once, or by a model that is given a while."""

    def __init__(
        self,
        offline: Triage,
        *,
        model: Triage | None = None,
        patience_seconds: float = 4.0,
        close_model: Callable[[], None] | None = None,
    ) -> None:
        """Sort by `model` where there is one.

        Args:
            offline: Answers at once.
            model: Answers sooner or later, from several threads.
            patience_seconds: How long a message waits for it; then `offline` speaks.
            close_model: Gives back the model's connections.
        """
        self.offline = offline
        self.model = model
        self._close_model = close_model
        self._patience = timedelta(seconds=patience_seconds)
        self._pool = None if model is None else ThreadPoolExecutor(_AT_ONCE, "triage")
        self._asked: dict[int, _Asked] = {}
        self._trouble: str | None = None

    def sort(
        self, arrived: ArrivedMessage, *, language: str | None, now: datetime
    ) -> Triaged | None:
        """What a message is; None: ask again in a moment.

        Args:
            arrived: The message.
            language: That the customer has chosen.
            now: The moment of this look.
        """
        if self.model is None or self._pool is None:
            return self.offline.triage(arrived.message, language=language)
        asked = self._asked.get(arrived.seq)
        if asked is None:
            answer = self._pool.submit(self._ask, self.model, arrived.message, language)
            self._asked[arrived.seq] = asked = _Asked(now, answer)
        if asked.answer.done():
            return self._take(arrived, language, asked.answer)
        if now - asked.since < self._patience:
            return None
        asked.answer.cancel()
        self._tell("it answers too late")
        return self.offline.triage(arrived.message, language=language)

    def forget(self, seqs: Collection[int]) -> None:
        """These were sorted, and that is kept."""
        for seq in seqs:
            self._asked.pop(seq, None)

    def close(self) -> None:
        """Ask no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._close_model is not None:
            self._close_model()

    def _take(
        self, arrived: ArrivedMessage, language: str | None, answer: Future[Triaged]
    ) -> Triaged:
        fault = answer.exception()
        if fault is not None:
            self._tell(type(fault).__name__)
            return self.offline.triage(arrived.message, language=language)
        triaged = answer.result()
        self._tell(None if triaged.by is TriagedBy.MODEL else "it gives no answer")
        return triaged

    def _tell(self, trouble: str | None) -> None:
        """Log what is wrong with the model when it changes, not with every message."""
        if trouble != self._trouble:
            words = "again by the model" if trouble is None else f"without the model: {trouble}"
            _log.warning("messages are sorted %s", words)
        self._trouble = trouble

    @staticmethod
    def _ask(model: Triage, message: InboundMessage, language: str | None) -> Triaged:
        return model.triage(message, language=language)
