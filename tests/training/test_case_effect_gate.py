"""A model of cases judges once later cases have borne it out."""

from collections.abc import Callable
from datetime import UTC, datetime

from tests.recovery.test_case_effect_recovery import draw_log, learn
from training.case_effect import promote_case_effect
from training.gate import Hold, Promote, Refused, RolledBack
from training.promote import roll_back
from training.registry.audit import Audit
from training.registry.entries import Alias, ModelName, NoVersion
from training.registry.servable import CaseModel
from training.registry.tracking import Tracking

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


def test_gate_lets_through_what_holds_later_and_holds_what_does_not(
    make_tracking: Callable[[], Tracking],
) -> None:
    tracking = make_tracking()
    answers = {}
    for name, later_kept in (("holds", None), ("turned", -0.8)):
        log = draw_log(4, kept=0.8, later_kept=later_kept)
        tracking.log_training(learn(log))
        answers[name] = promote_case_effect(log, known_until=UNTIL, tracking=tracking, seed=0)
    assert isinstance(answers["holds"], Promote)
    assert isinstance(answers["turned"], Hold)
    assert "is worse than contact that changes nothing" in answers["turned"].reasons[0]
    served = tracking.find(ModelName.RETENTION, alias=Alias.CHAMPION)
    assert not isinstance(served, NoVersion)
    assert served.version == answers["holds"].version
    assert isinstance(served.model, CaseModel)
    assert served.model.effects(log.customers).value.shape == (len(log), 1)
    kinds = [event.kind.value for event in tracking.read_history(ModelName.RETENTION)]
    assert sorted(kinds) == ["hold", "promote"]
    audit = Audit("dana", UNTIL, "a try")
    alone = roll_back(ModelName.RETENTION, tracking=tracking, audit=audit)
    assert isinstance(alone, Refused)
    again = draw_log(4, kept=0.8)
    tracking.log_training(learn(again))
    second = promote_case_effect(again, known_until=UNTIL, tracking=tracking, seed=0)
    assert isinstance(second, Promote)
    back = roll_back(ModelName.RETENTION, tracking=tracking, audit=audit)
    assert isinstance(back, RolledBack)
    assert (back.version, back.instead_of) == (served.version, second.version)
