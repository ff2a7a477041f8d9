"""What one version of the server knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES
from features.contracts import MARKETING
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Channel
from serving.policy.cases import Flags, Floats, Ints, to_us
from serving.store.store import StoredContact
from training.bandit.policy import VariantPolicy
from training.registry.servable import (
    CASE_SIGNATURE,
    CaseModel,
    ChannelModel,
    ChurnModel,
    FeatureSignature,
    SendTimeModel,
    Servable,
    UpliftModel,
    sign_presence,
)


@dataclass(frozen=True)
class Models:
    """Champions in the form in which they are served; None where there is none yet."""

    churn: ChurnModel | None = None
    channel: ChannelModel | None = None
    send_time: SendTimeModel | None = None
    uplift: UpliftModel | None = None
    retention: CaseModel | None = None

    @property
    def can_score(self) -> bool:
        """Whether the learned policy has what it needs."""
        return self.channel is not None and self.send_time is not None

    def by_file(self) -> dict[str, Servable]:
        """The models that exist, by the name of their file."""
        named: dict[str, Servable | None] = {
            "churn": self.churn,
            "channel": self.channel,
            "send_time": self.send_time,
            "uplift": self.uplift,
            "retention": self.retention,
        }
        return {name: model for name, model in named.items() if model is not None}

    def require_running_features(self) -> None:
        """Raise IncompatibleModelError where a model was made with other declarations."""
        if self.churn is not None:
            self.churn.signature.require(signature_of(CHURN_FEATURES), model="churn")
        if self.channel is not None:
            self.channel.signature.require(signature_of(ENGAGEMENT_FEATURES), model="channel")
        if self.send_time is not None:
            self.send_time.signature.require(sign_presence(), model="send time")
        if self.uplift is not None:
            self.uplift.signature.require(signature_of(ENGAGEMENT_FEATURES), model="uplift")
        if self.retention is not None:
            self.retention.signature.require(CASE_SIGNATURE, model="retention")


@dataclass(frozen=True)
class Customers:
    """Everything that is known per customer, one row each, sorted by customer_id.

    Attributes:
        profile: customer_id, first_name, language, timezone, segment, nine_is_active, region,
            consent_<channel>, marketing_consent_<channel> (null where nothing was said), known_us
            (when the row became known, UTC microseconds).
        churn: Features of the churn model, (n, features); NaN is null.
        engagement: Features of the channel model, (n, features); NaN is null.
        week_counts: Activity by local hour of the week, (n, 168).
        p_churn: Calibrated churn probability, (n,); NaN without a model, and for customers who are
            gone already.
    """

    profile: pd.DataFrame
    churn: Floats
    engagement: Floats
    week_counts: Floats
    p_churn: Floats

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row by customer_id."""
        return {customer_id: row for row, customer_id in enumerate(self.profile["customer_id"])}

    @cached_property
    def consent(self) -> Flags:
        """Consent in the order of `Channel`, (n, 5); unknown is False."""
        columns = [f"consent_{channel}" for channel in Channel]
        return self.profile[columns].to_numpy(dtype=bool)

    @cached_property
    def marketing_answers(self) -> Ints:
        """What customers said to marketing by channel, (n, 5): yes (1), no (0), nothing (-1)."""
        answers = np.full((len(self.profile), len(Channel)), -1, dtype=np.int64)
        for column, channel in enumerate(Channel):
            if (name := f"{MARKETING}{channel}") in self.profile:  # not in older snapshots
                answers[:, column] = self.profile[name].astype("Int64").fillna(-1)
        return answers

    @cached_property
    def regions(self) -> list[str | None]:
        """Regions; None where unknown."""
        if "region" not in self.profile:  # an older snapshot
            return [None] * len(self.profile)
        return _list_texts(self.profile["region"])

    @cached_property
    def first_names(self) -> list[str | None]:
        """First names; None where unknown."""
        return _list_texts(self.profile["first_name"])

    @cached_property
    def languages(self) -> list[str]:
        """Languages."""
        return self.profile["language"].astype(str).tolist()

    @cached_property
    def timezones(self) -> list[str]:
        """IANA time zones."""
        return self.profile["timezone"].astype(str).tolist()

    @cached_property
    def segments(self) -> list[str | None]:
        """Segments; None where unknown."""
        return _list_texts(self.profile["segment"])

    @cached_property
    def nine_is_active(self) -> Flags:
        """Whether 9:00 lies in the active hours, (n,)."""
        return self.profile["nine_is_active"].to_numpy(dtype=bool)

    @cached_property
    def known_us(self) -> Ints:
        """When each customer's row became known, (n,) UTC microseconds."""
        return self.profile["known_us"].to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class Snapshot:
    """What one version of the server knows.

    Attributes:
        version: Identity; grows with every publication.
        as_of: Moment of the features; facts known at or after it are not in them.
        customers: Customers and their features.
        contacts: Notices of the log in the weeks before `as_of`.
        models: Champions.
        bandit: State of the variants' bandit.
    """

    version: str
    as_of: datetime
    customers: Customers
    contacts: tuple[StoredContact, ...]
    models: Models
    bandit: VariantPolicy

    @property
    def as_of_us(self) -> int:
        """Moment of the features in UTC microseconds."""
        return to_us(self.as_of)

    @cached_property
    def contacts_by_customer(self) -> Mapping[str, Sequence[StoredContact]]:
        """The log's notices by customer."""
        grouped: dict[str, list[StoredContact]] = {}
        for contact in self.contacts:
            grouped.setdefault(contact.customer_id, []).append(contact)
        return grouped

    @cached_property
    def feature_hash(self) -> str:
        """Digest of the feature declarations behind the scores."""
        return f"{CHURN_FEATURES.digest}+{ENGAGEMENT_FEATURES.digest}"


def signature_of(features: FeatureSet) -> FeatureSignature:
    """The signature that a model made with these declarations carries."""
    return FeatureSignature(features.names, features.digest)


def _list_texts(column: pd.Series) -> list[str | None]:
    """A column of texts; None where one is not known."""
    known = column.notna().tolist()
    return [
        str(text) if there else None for text, there in zip(column.tolist(), known, strict=True)
    ]
