"""Models in the form in which they are served: plain arrays and LightGBM's own text.

Nothing here needs MLflow, scikit-learn or a pickle: a model is written as JSON and text, read
back the same, and predicts with one thread, so that a worker of the service stays small and quick.
One file for each kind of model; `files` knows them all.
"""

from training.registry.servable.booster import BoosterModel, Calibration
from training.registry.servable.case_effect import CASE_SIGNATURE, AtOpening, CaseModel
from training.registry.servable.channel import (
    OUTCOMES,
    ChannelModel,
    Measured,
    OutcomeModel,
    Sendings,
    extend_signature,
    to_matrix,
)
from training.registry.servable.churn import MAIN_HORIZON_DAYS, ChurnModel
from training.registry.servable.files import Servable, load_servable, save_servable
from training.registry.servable.hour_response import N_WEEK_HOURS, HourResponse
from training.registry.servable.orders import ORDERS, OrderHabits
from training.registry.servable.pooled import GroupEffects, Level, OwnHistory, PooledRates
from training.registry.servable.reach import Belonging, Names, Reach, Stakes
from training.registry.servable.reference import PopulationReference, make_reference
from training.registry.servable.send_time import SendTimeModel, WeekPatterns, sign_presence
from training.registry.servable.signature import CHANNELS, TRIGGERS, FeatureSignature, Floats
from training.registry.servable.uplift import (
    Effects,
    Member,
    NetValues,
    ReachEffect,
    TreeEffect,
    UpliftModel,
)

__all__ = [
    "CASE_SIGNATURE",
    "CHANNELS",
    "MAIN_HORIZON_DAYS",
    "N_WEEK_HOURS",
    "ORDERS",
    "OUTCOMES",
    "TRIGGERS",
    "AtOpening",
    "Belonging",
    "BoosterModel",
    "Calibration",
    "CaseModel",
    "ChannelModel",
    "ChurnModel",
    "Effects",
    "FeatureSignature",
    "Floats",
    "GroupEffects",
    "HourResponse",
    "Level",
    "Measured",
    "Member",
    "Names",
    "NetValues",
    "OrderHabits",
    "OutcomeModel",
    "OwnHistory",
    "PooledRates",
    "PopulationReference",
    "Reach",
    "ReachEffect",
    "SendTimeModel",
    "Sendings",
    "Servable",
    "Stakes",
    "TreeEffect",
    "UpliftModel",
    "WeekPatterns",
    "extend_signature",
    "load_servable",
    "make_reference",
    "save_servable",
    "sign_presence",
    "to_matrix",
]
