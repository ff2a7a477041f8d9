"""Disruptions become incidents: while one is going on, marketing rests in its region.

What was told last of each is kept beside the incident, so that telling it again changes nothing,
and an incident that somebody on duty closed by hand stays closed until something new is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from serving.store.lots import in_lots
from serving.store.schema import disruptions, incidents

_TOLD = select(
    disruptions.c.disruption_id,
    disruptions.c.region,
    disruptions.c.starts_at_us,
    disruptions.c.ends_at_us,
).where(disruptions.c.disruption_id.in_(bindparam("ids", expanding=True)))
_TELL = (
    update(disruptions)
    .where(disruptions.c.disruption_id == bindparam("of_disruption"))
    .values(
        region=bindparam("its_region"),
        starts_at_us=bindparam("from_us"),
        ends_at_us=bindparam("until_us"),
    )
)
_CHANGE = (
    update(incidents)
    .where(incidents.c.incident_id == bindparam("of_incident"))
    .values(
        region=bindparam("its_region"),
        starts_at_us=bindparam("from_us"),
        ends_at_us=bindparam("until_us"),
    )
)


@dataclass(frozen=True)
class Disruption:
    """A row of the table `disruptions`, as it is known.

    Attributes:
        disruption_id: Its identity.
        region: Where.
        starts_at_us: First moment.
        ends_at_us: First moment after it; None while nobody knows.
    """

    disruption_id: str
    region: str
    starts_at_us: int
    ends_at_us: int | None

    @property
    def incident_id(self) -> str:
        """Identity of the incident that it is."""
        return f"disruption/{self.disruption_id}"


class DisruptionBook:
    """The part of a transaction that lets incidents follow disruptions."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def follow(self, told: Iterable[Disruption], *, now_us: int, longest_us: int) -> int:
        """Let incidents be as the disruptions are; how many have changed.

        Args:
            told: What is known now; of two rows about one disruption the later one counts.
            now_us: When it was told. What had ended by then and was never followed is left alone.
            longest_us: An incident ends so long after its start, where no end is told.
        """
        latest = {one.disruption_id: one for one in told}
        before = self._find_told(latest)
        changed = [
            one
            for one in latest.values()
            if before.get(one.disruption_id) != one
            and (one.disruption_id in before or one.ends_at_us is None or one.ends_at_us > now_us)
        ]
        for one in changed:
            self._keep(one, is_new=one.disruption_id not in before, longest_us=longest_us)
        return len(changed)

    def find_told(self, disruption_ids: Iterable[str]) -> Mapping[str, Disruption]:
        """What was told last of disruptions that incidents follow, by identity."""
        return self._find_told(dict.fromkeys(disruption_ids))

    def _find_told(self, ids: Iterable[str]) -> dict[str, Disruption]:
        return {
            row.disruption_id: Disruption(*row)
            for lot in in_lots(list(ids))
            for row in self._connection.execute(_TOLD, {"ids": lot})
        }

    def _keep(self, one: Disruption, *, is_new: bool, longest_us: int) -> None:
        starts_us = one.starts_at_us
        ends_us = starts_us + longest_us if one.ends_at_us is None else one.ends_at_us
        ends_us = max(ends_us, starts_us + 1)  # one that was over at once pauses nothing
        if is_new:
            self._connection.execute(
                insert(disruptions),
                {
                    "disruption_id": one.disruption_id,
                    "region": one.region,
                    "starts_at_us": starts_us,
                    "ends_at_us": one.ends_at_us,
                },
            )
            self._connection.execute(
                insert(incidents),
                {
                    "incident_id": one.incident_id,
                    "region": one.region,
                    "starts_at_us": starts_us,
                    "ends_at_us": ends_us,
                },
            )
            return
        where = {"its_region": one.region, "from_us": starts_us}
        told = {"of_disruption": one.disruption_id, "until_us": one.ends_at_us, **where}
        self._connection.execute(_TELL, told)
        changed = {"of_incident": one.incident_id, "until_us": ends_us, **where}
        self._connection.execute(_CHANGE, changed)
