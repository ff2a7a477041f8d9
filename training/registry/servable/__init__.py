"""Models in the form in which they are served: plain arrays and LightGBM's own text.

Nothing here needs MLflow, scikit-learn or a pickle: a model is written as JSON and text, read
back the same, and predicts with one thread, so that a worker of the service stays small and quick.
One file for each kind of model; `files` knows them all.
"""

from training.registry.servable.booster import BoosterModel, Calibration
from training.registry.servable.channel import ChannelModel
from training.registry.servable.files import Servable, load_servable, save_servable
from training.registry.servable.send_time import N_WEEK_HOURS, SendTimeModel
from training.registry.servable.signature import CHANNELS, TRIGGERS, FeatureSignature, Floats

__all__ = [
    "CHANNELS",
    "N_WEEK_HOURS",
    "TRIGGERS",
    "BoosterModel",
    "Calibration",
    "ChannelModel",
    "FeatureSignature",
    "Floats",
    "SendTimeModel",
    "Servable",
    "load_servable",
    "save_servable",
]
