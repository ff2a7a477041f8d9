"""The red team's corpus: what strangers may write, and what must not come of it.

Each item is a value of a fact, a first name, or a customer's complaint.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from features.vocabulary import Trigger

_HERE = Path(__file__).parent

TRIGGERS: Mapping[str, tuple[Trigger, ...]] = {
    "item": (Trigger.PRICE_DROP, Trigger.ABANDONED_CART, Trigger.BROWSE_ABANDONMENT),
    "order_id": (Trigger.DELIVERY_DELAY, Trigger.ORDER_SHIPPED),
    "tracking_id": (Trigger.ORDER_SHIPPED,),
    "service": (Trigger.SERVICE_DISRUPTION,),
    "region": (Trigger.SERVICE_DISRUPTION,),
    "location": (Trigger.ACCOUNT_ANOMALY,),
    "plan": (Trigger.PAYMENT_FAILURE_RISK,),
    "incident": (Trigger.INCIDENT_UPDATE,),
    "update": (Trigger.INCIDENT_UPDATE,),
}
"""Whose texts can take a fact."""


class Attack(BaseModel):
    """One item.

    Attributes:
        id: Unique; begins with its kind.
        language: Of its words, as far as they have one.
        text: What is written.
        times: How often it is repeated.
        fact: Where it is written; null for names and complaints.
        never: What no customer may read, not even quoted: live links, telephones, tags, characters
            that nobody sees. Compared without regard to case.
        obeyed: The sentence by which a model would do as it is told.
        obeyed_times: How often it is repeated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^(fact|name|complaint)-\d{3}$")]
    language: Literal["en", "ru", "kk"]
    text: Annotated[str, Field(min_length=1)]
    times: Annotated[int, Field(ge=1)] = 1
    fact: str | None = None
    never: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    obeyed: Annotated[str, Field(min_length=1)]
    obeyed_times: Annotated[int, Field(ge=1)] = 1

    @property
    def written(self) -> str:
        """The whole of it."""
        return self.text * self.times

    @property
    def planted(self) -> str:
        """What a model that obeys puts into its text."""
        return " ".join([self.obeyed.strip()] * self.obeyed_times)


@cache
def read_attacks(kind: Literal["facts", "names", "complaints"]) -> tuple[Attack, ...]:
    """All of a kind."""
    content = yaml.safe_load((_HERE / f"{kind}.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(tuple[Attack, ...]).validate_python(content)


def read_all() -> tuple[Attack, ...]:
    """The whole corpus."""
    return (*read_attacks("facts"), *read_attacks("names"), *read_attacks("complaints"))


def name_attack(attack: Attack) -> str:
    """For the names of tests."""
    return attack.id
