"""Pages from templates: everything is escaped, and nothing undefined passes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import jinja2
from babel import Locale, UnknownLocaleError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serving.console.access import DECIDE, OWN, PostTokens
from serving.console.links import link, link_subject, make_anchor
from serving.console.sections import Section
from serving.copy.template import compile_template

_UTC: Final = ZoneInfo("UTC")
_FOLDER = Path(__file__).with_name("templates")


class Renderer:
    """Makes answers of templates.

    Attributes:
        zone: By whose clock moments are told.
    """

    def __init__(
        self, *, tokens: PostTokens, sections: Sequence[Section], zone: ZoneInfo = _UTC
    ) -> None:
        """Make pages of one application.

        Args:
            tokens: Of forms.
            sections: Of the menu; the first one is where the name of the house leads.
            zone: By whose clock moments are told.
        """
        self._tokens = tokens
        self._sections = sections
        self.zone = zone

    def answer(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> HTMLResponse:
        """A page; it may also use the request's `link`, `may_decide`, `token` and `visitor`."""
        scopes = request.auth.scopes if "auth" in request.scope else ()
        text = (
            _open_templates()
            .get_template(f"{template}.html.j2")
            .render(
                **values,
                link=lambda name, **path: link(request, name, **path),
                subject_link=lambda subject: link_subject(request, subject),
                may_decide=DECIDE in scopes,
                may_own=OWN in scopes,
                visitor=request.user.display_name if "user" in request.scope else "",
                token=self._tokens.make(request.session),
                sections=self._sections,
                zone=self.zone,
            )
        )
        return HTMLResponse(text, status_code=status, headers=headers)


@cache
def _open_templates() -> jinja2.Environment:
    """The templates, compiled once in a process; a page's `zone` says by which clock it tells."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "moment": jinja2.pass_context(lambda page, at: write_moment(at, zone=page["zone"])),
        "clock": jinja2.pass_context(lambda page, at: f"{at.astimezone(page['zone']):%H:%M:%S}"),
        "day": jinja2.pass_context(lambda page, at: f"{at.astimezone(page['zone']):%-d %b %Y}"),
        "near": jinja2.pass_context(
            lambda page, at, now: write_near(at, now=now, zone=page["zone"])
        ),
        "money": write_money,
        "share": lambda share: f"{share:.0%}",
        "plain": write_plain,
        "language": name_language,
        "slots": split_slots,
        "anchor": make_anchor,
    }
    return templates


def write_moment(at: datetime, *, zone: ZoneInfo = _UTC) -> str:
    """A moment by the clock of a place, for people.

    >>> write_moment(datetime(2026, 6, 10, 7, 5, tzinfo=_UTC))
    '10 Jun 2026, 07:05 UTC'
    >>> write_moment(datetime(2026, 6, 10, 7, 5, tzinfo=_UTC), zone=ZoneInfo("Asia/Almaty"))
    '10 Jun 2026, 12:05 (Almaty)'
    """
    place = "UTC" if zone.key == "UTC" else f"({zone.key.rpartition('/')[2].replace('_', ' ')})"
    return f"{at.astimezone(zone):%-d %b %Y, %H:%M} {place}"


def write_near(at: datetime, *, now: datetime, zone: ZoneInfo = _UTC) -> str:
    """A moment of this day by its time alone; of another day with it.

    >>> now = datetime(2026, 6, 10, 7, 5, tzinfo=_UTC)
    >>> write_near(now, now=now), write_near(datetime(2026, 6, 11, tzinfo=_UTC), now=now)
    ('07:05', '11 Jun 2026, 00:00 UTC')
    """
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return write_moment(at, zone=zone)


def write_money(cents: int, currency: str) -> str:
    """An amount for people.

    >>> write_money(1_500_000, "KZT"), write_money(1_999, "USD")
    ('15,000 KZT', '19.99 USD')
    """
    whole, rest = divmod(abs(cents), 100)
    digits = f"{whole:,}" + (f".{rest:02}" if rest else "")
    return f"{'-' if cents < 0 else ''}{digits} {currency}"


def write_plain(name: str) -> str:
    """A name of ours as words.

    >>> write_plain("price_drop"), write_plain("sms"), write_plain("in_app")
    ('Price drop', 'SMS', 'In-app')
    """
    known = {"sms": "SMS", "in_app": "In-app", "whatsapp": "WhatsApp", "email": "E-mail"}
    words = name.replace("_", " ")
    return known.get(name, words[:1].upper() + words[1:])


def name_language(code: str) -> str:
    """A language in English; its code where CLDR does not know it.

    >>> name_language("kk"), name_language("xx")
    ('Kazakh', 'xx')
    """
    try:
        return Locale.parse(code).get_display_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


def split_slots(text: str) -> tuple[str, ...]:
    """A template's text as literal, slot, literal, slot, ..., literal; a greeting is a slot too.

    >>> split_slots("{greeting}the price of {item} fell")
    ('', 'greeting', 'the price of ', 'item', ' fell')
    """
    template = compile_template(text)
    opening = ("", "greeting") if template.is_greeted else ()
    return (*opening, *template.parts)
