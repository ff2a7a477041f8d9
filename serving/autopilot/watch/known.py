"""What is known of those who write, as of now: tables at the start, posted facts since."""

from collections.abc import Collection, Iterable

from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.known import read_known
from serving.autopilot.story import KnownFacts
from serving.online.facts import Fact
from serving.online.ledger import group_log, read_customers, read_histories
from serving.online.rows import read_logged, tables_of
from serving.store.kept import Generation
from serving.store.store import StoreSession

_NOBODY = KnownFacts(KnownCustomers({}, {}))


class Directory:
    """Customers, and what is wrong for them already."""

    def __init__(self, base: KnownFacts | None = None) -> None:
        """Look up in the store first, then in what tables said at the start."""
        self._base = base or _NOBODY
        self.first_names: dict[str, str] = dict(self._base.customers.first_names)
        """Of everybody who was looked up and of the tables."""

    def look_up(self, session: StoreSession, customer_ids: Collection[str]) -> KnownFacts:
        """What is known of these customers; strangers are not in it.

        Facts posted to `/events` and the tables of `opportune online rebuild` count before those of
        the start.
        """
        generation = session.online.current_generation()
        posted = (
            _NOBODY
            if generation is None
            else _read_posted(session, generation, list(customer_ids), base=self._base)
        )
        base, wanted = self._base, set(customer_ids)
        self.first_names.update(posted.customers.first_names)
        told = {delay.order_id for delay in posted.delays}
        also = {disruption.disruption_id for disruption in posted.disruptions}
        own = base.customers
        return KnownFacts(
            KnownCustomers(
                languages={
                    **{who: own.languages[who] for who in wanted if who in own},
                    **posted.customers.languages,
                },
                regions={
                    **{who: own.regions[who] for who in wanted if who in own.regions},
                    **posted.customers.regions,
                },
            ),
            disruptions=(
                *posted.disruptions,
                *(one for one in base.disruptions if one.disruption_id not in also),
            ),
            delays=(*posted.delays, *(one for one in base.delays if one.order_id not in told)),
        )


def _read_posted(
    session: StoreSession, generation: Generation, customer_ids: list[str], *, base: KnownFacts
) -> KnownFacts:
    """What the store knows of these customers and of their regions."""
    online = session.online
    own = read_customers(online, generation, customer_ids)
    facts = [fact for told in own.values() for fact in told]
    regions = {str(f.row["region"]) for f in facts if f.table == "customers" and "region" in f.row}
    regions |= {base.customers.regions[c] for c in customer_ids if c in base.customers.regions}
    owners = [f"region/{region}" for region in sorted(regions)]
    kept = read_histories(online, generation, owners)
    told = group_log(read_logged(online.read_facts(owners)))
    disruptions = [f for owner in owners for f in (*kept.get(owner, ()), *told.get(owner, ()))]
    newest = _keep_newest(
        fact
        for fact in (*facts, *disruptions)
        if fact.table in ("customers", "orders", "disruptions")
    )
    return read_known(tables_of(newest, names=("customers",)))


def _keep_newest(facts: Iterable[Fact]) -> list[Fact]:
    """Of each row the version that was told last."""
    newest: dict[str | None, Fact] = {}
    for fact in facts:
        before = newest.get(fact.identity)
        if before is None or fact.knowable_us >= before.knowable_us:
            newest[fact.identity] = fact
    return list(newest.values())
