"""The command that decides in batch."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from features.triggers import find_triggers
from serving.cli.data import AsOfOption, DataOption, OutFileOption, read_as_of, write_frame
from serving.cli.output import (
    RULES_STAND_IN,
    JsonOption,
    progress,
    say,
    show_json,
    show_table,
)
from serving.home import claim_home
from serving.publish import learn_bandit, load_champions
from serving.records import Decision
from serving.requests import churn_risk_requests, requests_of
from serving.runtime import wire_parts
from serving.settings import read_settings
from serving.snapshot.making import make_snapshot
from training.registry.tracking import Tracking


def decide(
    data: DataOption,
    out: OutFileOption,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide about everybody a trigger was found for; records go to the store and to a file."""
    settings = read_settings()
    with progress(f"deciding from {data}"):
        tables, moment = read_as_of(data, as_of)
        claim_home(settings.home, tables)
        parts = wire_parts(settings, clock=lambda: moment)
        snapshot = make_snapshot(
            tables,
            as_of=moment,
            models=load_champions(Tracking.in_folder(settings.registry)),
            bandit=learn_bandit(tables, parts.store, as_of=moment, policy=parts.policy),
        )
        requests = [
            *requests_of(find_triggers(tables, as_of=moment), as_of=moment),
            *churn_risk_requests(snapshot),
        ]
        with parts.store.transaction() as session:
            n_before = len(session.find_by_keys(requests))
        decisions = parts.engine(snapshot).decide_many(requests)
        parts.store.close()
        write_frame(decisions_frame(decisions), out)
    reasons = Counter(decision.reason.value for decision in decisions).most_common()
    if as_json:
        n_sent = sum(decision.send for decision in decisions)
        show_json(
            {
                "out": str(out),
                "as_of": moment.isoformat(),
                "decisions": len(decisions),
                "decided_before": n_before,
                "sent": n_sent,
                "reasons": dict(reasons),
            }
        )
    else:
        rows = [(reason, f"{n:,}") for reason, n in reasons]
        show_table(("reason", "decisions"), rows, title=f"{len(decisions):,} decisions in {out}")
        if n_before:
            say(f"{n_before:,} of them were decided before, and are unchanged")
        if not snapshot.models.can_score:
            say(RULES_STAND_IN)
        if not decisions:
            say("no trigger was found, and no churn champion names anybody at risk")


def decisions_frame(decisions: Sequence[Decision]) -> pd.DataFrame:
    """One row per decision: what one filters by in columns, the whole record as JSON."""
    columns = {
        "decision_id": [d.decision_id for d in decisions],
        "customer_id": [d.customer_id for d in decisions],
        "trigger": [d.trigger.value for d in decisions],
        "arm": [d.arm.value for d in decisions],
        "reason": [d.reason.value for d in decisions],
        "channels": ["+".join(d.channels) for d in decisions],
        "variant": [d.variant for d in decisions],
        "record": [d.model_dump_json() for d in decisions],
    }
    frame = pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})
    frame["send"] = pd.Series([d.send for d in decisions], dtype="bool")
    frame["send_at"] = pd.to_datetime(pd.Series([d.send_at for d in decisions]), utc=True).astype(
        "datetime64[us, UTC]"
    )
    frame["propensity"] = pd.Series([d.propensity for d in decisions], dtype="float64")
    return frame
