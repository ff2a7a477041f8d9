"""Pages from templates: everything is escaped, and nothing undefined passes."""

from datetime import UTC, datetime
from pathlib import Path

import jinja2
from babel import Locale, UnknownLocaleError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serving.console.access import DECIDE, PostTokens
from serving.console.links import link, make_anchor
from serving.copy.template import compile_template

_FOLDER = Path(__file__).with_name("templates")


class Renderer:
    """Makes answers of templates."""

    def __init__(self, *, tokens: PostTokens) -> None:
        """Compile the templates; forms carry these tokens."""
        self._tokens = tokens
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "moment": write_moment,
            "plain": write_plain,
            "language": name_language,
            "slots": split_slots,
            "anchor": make_anchor,
        }

    def answer(
        self, request: Request, template: str, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """A page; it may also use the request's `link`, `may_decide`, `token` and `visitor`."""
        text = self._templates.get_template(f"{template}.html.j2").render(
            **values,
            link=lambda name, **path: link(request, name, **path),
            may_decide=DECIDE in request.auth.scopes,
            visitor=request.user.display_name,
            token=self._tokens.make(request.session),
        )
        return HTMLResponse(text, status_code=status)


def write_moment(at: datetime) -> str:
    """A moment in UTC, for people.

    >>> write_moment(datetime(2026, 6, 10, 7, 5, tzinfo=UTC))
    '10 Jun 2026, 07:05 UTC'
    """
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


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
