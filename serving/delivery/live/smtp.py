"""Letters, handed to a mail relay: the one door of SMTP.

RFC 5321, 4.2.5: a relay answers for a letter once it has acknowledged the line that ends it. A
connection that is lost after that line was sent and before the answer leaves both sides in doubt;
nothing in SMTP tells a second letter from the first.
"""

import re
import smtplib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr

from features.errors import ConfigurationError
from features.vocabulary import Outcome
from serving.delivery.live.certificates import make_tls_context
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import SmtpSettings
from serving.delivery.parcel import Down, HandedOver, Lost, Receipt, Rejected, TryAgain, Uncertain

NO_SMTP_ADDRESS = "no_address: it is none that SMTP can carry"

_STARTS_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)
_ENHANCED = re.compile(rb"^([245]\.\d{1,3}\.\d{1,3})\b")
_NO_SUCH_MAILBOX = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
_GONE_CODES = (550, 551, 553)  # where a relay tells no more than the code
_TAKEN, _GO_ON = 250, 354
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")


@dataclass(frozen=True)
class Reply:
    """What a relay answered: its code, and the enhanced one (RFC 3463) if there was one.

    Its words are dropped: they often repeat the address.
    """

    code: int
    enhanced: str | None

    @classmethod
    def of(cls, code: int, words: bytes) -> "Reply":
        """From what the relay said."""
        found = _ENHANCED.match(words)
        return cls(code, None if found is None else found.group(1).decode())

    def __str__(self) -> str:
        """The codes."""
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)

    @property
    def is_taken(self) -> bool:
        """Whether it is a yes."""
        return 200 <= self.code < 300

    @property
    def is_for_good(self) -> bool:
        """Whether it is a no for good."""
        return 500 <= self.code < 600

    @property
    def is_bounce(self) -> bool:
        """Whether it says of a recipient that there is no such mailbox."""
        if self.enhanced is not None:
            return self.enhanced in _NO_SUCH_MAILBOX
        return self.code in _GONE_CODES


class SmtpRelay:
    """One relay, with one connection that is kept from letter to letter."""

    def __init__(self, settings: SmtpSettings, *, sender: str, secrets: Secrets) -> None:
        """Make it ready; nothing is connected before the first letter.

        Raises:
            ConfigurationError: SMTP cannot carry the sender, or `ca_file` cannot be read.
        """
        self._settings = settings
        self._envelope_sender = _encode_sender(settings.envelope_sender or sender)
        self._password = None if settings.password is None else secrets.read(settings.password)
        self._context = make_tls_context(settings.ca_file)
        self._link: smtplib.SMTP | None = None

    @property
    def host(self) -> str:
        """The relay."""
        return self._settings.host

    def send(self, letter: EmailMessage, *, to: str, begin: Callable[[], bool]) -> Receipt:
        """Hand one letter over, to one recipient.

        Args:
            letter: As it goes.
            to: An address.
            begin: Asked right before the line that ends the letter.
        """
        recipient = encode_address(to)
        if recipient is None:
            return Rejected(NO_SMTP_ADDRESS, Outcome.BOUNCED)
        link = self._open()
        if isinstance(link, Down):
            return link
        try:
            refused = self._offer(link, recipient)
        except (smtplib.SMTPException, OSError) as fault:
            self._drop()
            return Down(f"{self.host}: {_describe(fault)} before the letter")
        if refused is not None:
            self._reset(link)
            return refused
        try:
            link.send(_write_lines(letter))
        except (smtplib.SMTPException, OSError) as fault:
            # Without its last line the relay may not take a letter (RFC 5321, 4.1.1.4).
            self._drop()
            why = f"{self.host}: {_describe(fault)} before the letter ended"
            return TryAgain(why, hints_down=True)
        return self._end(link, begin)

    def check(self) -> str | None:
        """Connect, log in and say goodbye; why that failed, or None."""
        link = self._open()
        self.close()
        return link.reason if isinstance(link, Down) else None

    def close(self) -> None:
        """Say goodbye."""
        link, self._link = self._link, None
        if link is not None:
            with suppress(smtplib.SMTPException, OSError):
                link.quit()
            link.close()

    # ------------------------------------------------------------ the steps of one letter

    def _end(self, link: smtplib.SMTP, begin: Callable[[], bool]) -> Receipt:
        if not begin():
            self._drop()  # unfinished, the letter is not the relay's
            return Lost()
        try:
            link.send(b".\r\n")
            reply = Reply.of(*link.getreply())
        except (smtplib.SMTPException, OSError) as fault:
            self._drop()
            return Uncertain(f"{self.host}: {_describe(fault)} after the letter ended")
        if reply.is_taken:
            return HandedOver(self.host, is_delivered=self._settings.taken_is_delivered)
        return _judge_letter(reply)

    def _offer(self, link: smtplib.SMTP, recipient: str) -> Receipt | None:
        """Say from whom and to whom; None where the relay takes both, and waits for the letter."""
        reply = Reply.of(*link.mail(self._envelope_sender))
        if not reply.is_taken:
            # Says nothing of the recipient: our sender, our login, or the relay's mood.
            return Down(f"{self.host}: the sender is not taken: {reply}")
        reply = Reply.of(*link.rcpt(recipient))
        if reply.is_taken:
            reply = Reply.of(*link.docmd("DATA"))
            return None if reply.code == _GO_ON else _judge_letter(reply)
        if reply.code == 421:
            return Down(f"{self.host}: {reply}")
        if not reply.is_for_good:
            return TryAgain(f"{self.host}: the recipient is not taken: {reply}")
        outcome = Outcome.BOUNCED if reply.is_bounce else None
        return Rejected(f"{self.host}: the recipient is not taken: {reply}", outcome)

    def _open(self) -> smtplib.SMTP | Down:
        if self._link is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._link.noop()[0] == _TAKEN:
                    return self._link
            self._drop()
        link: smtplib.SMTP | None = None
        try:
            link = self._connect()
            if self._settings.security == "starttls":
                link.starttls(context=self._context)
            link.ehlo_or_helo_if_needed()
            if self._settings.username is not None and self._password is not None:
                link.login(self._settings.username, self._password)
        except (smtplib.SMTPException, OSError) as fault:
            if link is not None:
                link.close()
            return Down(f"{self.host}: {_describe(fault)}")
        self._link = link
        return link

    def _connect(self) -> smtplib.SMTP:
        host, port = self._settings.host, self._settings.port
        timeout = self._settings.timeout_seconds
        if self._settings.security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=timeout, context=self._context)
        return smtplib.SMTP(host, port, timeout=timeout)

    def _reset(self, link: smtplib.SMTP) -> None:
        """Forget the letter in hand; where that fails, the connection."""
        try:
            is_reset = link.rset()[0] == _TAKEN
        except (smtplib.SMTPException, OSError):
            is_reset = False
        if not is_reset:
            self._drop()

    def _drop(self) -> None:
        """Cut the connection without a word."""
        link, self._link = self._link, None
        if link is not None:
            link.close()


def encode_address(address: str) -> str | None:
    r"""An address as SMTP carries it, its domain in ASCII; None where it is none.

    >>> encode_address("a@пример.kz"), encode_address("a@b.kz>\r\nDATA"), encode_address("a")
    ('a@xn--e1afmkfd.kz', None, None)
    """
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        return None
    try:
        name = domain.encode("idna").decode()
    except UnicodeError:
        return None
    return f"{local}@{name}" if re.fullmatch(r"[A-Za-z0-9.-]{1,253}", name) else None


def _encode_sender(sender: str) -> str:
    address = encode_address(parseaddr(sender)[1])
    if address is None:
        raise ConfigurationError(f"sender {sender}: expected an address that SMTP can carry")
    return address


def _judge_letter(reply: Reply) -> Receipt:
    """What a relay said of the whole letter, whose recipient it had taken."""
    if reply.code == 421:
        return Down(str(reply))
    if reply.is_for_good:
        return Rejected(f"the letter is not taken: {reply}")
    return TryAgain(f"the letter is not taken: {reply}")


def _write_lines(letter: EmailMessage) -> bytes:
    """A letter's bytes, its lines ended and its leading dots doubled (RFC 5321, 4.5.2)."""
    content = letter.as_bytes()
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return _STARTS_WITH_DOT.sub(b"..", content)


def _describe(fault: Exception) -> str:
    """A fault of a connection, without the words of others."""
    if isinstance(fault, smtplib.SMTPAuthenticationError):
        return f"the login is not taken: {fault.smtp_code}"
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"{type(fault).__name__} {fault.smtp_code}"
    return type(fault).__name__
