"""The detector and the topics that are in force, by the settings."""

from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.taxonomy import Taxonomy, find_taxonomy
from serving.autopilot.watch.prepared import PreparedDetector, assume_detector, read_prepared
from serving.settings import Settings


def find_detector(settings: Settings) -> PreparedDetector:
    """The detector that was prepared; where none was, one for a chain that nothing is known of.

    Raises:
        ConfigurationError: The file is none, or the one that is named is not there.
    """
    path = settings.detector_file
    if settings.detector is not None or path.exists():
        return read_prepared(path)
    return assume_detector(
        find_taxonomy(settings.taxonomy), zone=settings.zone, settings=DetectionSettings()
    )


def find_taxonomy_in_force(settings: Settings) -> Taxonomy:
    """The topics that `find_detector` goes by, without making a detector.

    Raises:
        ConfigurationError: As there.
    """
    path = settings.detector_file
    if settings.detector is not None or path.exists():
        return read_prepared(path).taxonomy
    return find_taxonomy(settings.taxonomy)
