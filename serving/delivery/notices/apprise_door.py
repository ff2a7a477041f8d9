"""Apprise, which knows a hundred services of messages: its one door."""

import logging
import warnings

from features.errors import ConfigurationError
from serving.delivery.parcel import HandedOver, Lost, Moment, Receipt, Uncertain
from serving.store.notice_outbox import Telling

with warnings.catch_warnings():  # it imports what Python 3.13 no longer has
    warnings.simplefilter("ignore", DeprecationWarning)
    import apprise

    apprise.Apprise.instantiate("json://localhost")  # loads its services

_NEVER = logging.CRITICAL + 1
logging.getLogger("apprise").setLevel(_NEVER)  # its lines hold addresses and words


class AppriseMessenger:
    """Tells notices through one Apprise URL.

    Services know no keys, and Apprise tells no more than yes or no: after a no, nobody knows.
    """

    def __init__(self, url: str, *, variable: str) -> None:
        """Make it ready.

        Args:
            url: Of Apprise; a secret.
            variable: Where it came from, for the error.

        Raises:
            ConfigurationError: It is none that Apprise knows.
        """
        asset = apprise.AppriseAsset(
            app_id="Opportune",
            app_desc="Opportune",
            app_url="",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            raise ConfigurationError(f"environment: {variable}: expected an Apprise URL")
        self._apprise = apprise.Apprise(asset=asset)
        self._apprise.add(service)
        self._name = str(service.service_name)

    def tell(self, telling: Telling, moment: Moment) -> Receipt:
        """Tell it, as plain text."""
        if not moment.begin():
            return Lost()
        notice = telling.notice
        is_told = self._apprise.notify(
            body=notice.body,
            title=notice.subject,
            notify_type=apprise.NotifyType.WARNING if notice.is_urgent else apprise.NotifyType.INFO,
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        )
        return HandedOver(self._name) if is_told else Uncertain(f"{self._name} said no")
