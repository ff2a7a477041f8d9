"""A world of somebody else, as small as can be: carts are left behind, and push is what helps."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

VALUES = {"email": 2.0, "sms": -4.0, "push": 10.0, "in_app": -1.0, "whatsapp": -3.0}
N_CUSTOMERS = 60
_DAYS_BEFORE = 20


class CornerShop:
    """Everybody leaves a cart behind every fifth day; who gets a push clicks an hour later."""

    def __init__(self, *, seed: int) -> None:
        self.start = datetime(2026, 3, 1, tzinfo=UTC)
        self._now = self.start
        self._ids = [f"s{seed}-{n:03d}" for n in range(N_CUSTOMERS)]
        self._sent: list[pd.DataFrame] = []

    def tables(self, until: datetime) -> dict[str, pd.DataFrame]:
        assert until <= self._now
        tables = {"customers": self._customers(), "activity": self._activity(until)}
        if self._sent:
            sent = pd.concat(self._sent, ignore_index=True)
            tables["messages"] = sent[sent["sent_at"] < until]
            clicked = sent[sent["channel"] == "push"]
            clicks = pd.DataFrame(
                {
                    "message_id": clicked["message_id"],
                    "outcome": "clicked",
                    "at": clicked["sent_at"] + pd.Timedelta(hours=1),
                    "machine": False,
                }
            )
            tables["outcomes"] = clicks[clicks["at"] < until]
        return tables

    def deliver(self, messages: pd.DataFrame) -> None:
        assert (messages["sent_at"] >= self._now).all()
        if len(messages):
            self._sent.append(messages)

    def advance(self, until: datetime) -> None:
        self._now = max(self._now, until)

    def true_value(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        return candidates["channel"].map(VALUES).to_numpy(dtype=np.float64)

    def _customers(self) -> pd.DataFrame:
        channels = {f"consent_{channel}": True for channel in VALUES}
        return pd.DataFrame(
            {
                "customer_id": self._ids,
                "signed_up_at": pd.Timestamp("2026-01-01", tz="UTC"),
                "language": "en",
                "timezone": "UTC",
                **channels,
            }
        )

    def _activity(self, until: datetime) -> pd.DataFrame:
        rows = [
            (customer_id, self.start + timedelta(days=day, hours=-6), "cart_add", "tea")
            for day in range(-_DAYS_BEFORE, 60)
            for number, customer_id in enumerate(self._ids)
            if (number + day) % 5 == 0
        ]
        frame = pd.DataFrame(rows, columns=["customer_id", "at", "kind", "item"])
        return frame[frame["at"] < until]


class NoWorld:
    """Lacks nearly everything."""

    def __init__(self, *, seed: int) -> None:
        self.start = datetime(2026, 3, 1 + seed, tzinfo=UTC)


class Crystal(CornerShop):
    """Tells what has not happened yet."""

    def tables(self, until: datetime) -> dict[str, pd.DataFrame]:
        return {
            "customers": self._customers(),
            "activity": self._activity(until + timedelta(days=2)),
        }


class Letterbox(CornerShop):
    """Knows what a second message about the same case adds: nothing but its cost."""

    def true_value_of_notices(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        second = candidates["notice"].duplicated().to_numpy()
        return np.where(second, -1.0, self.true_value(candidates))


class Oracular(Letterbox):
    """Has no number for what it does not know."""

    def true_value_of_notices(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        return np.full(len(candidates), np.nan)
