"""The forms in which names and email addresses are stored and compared, and the usernames that are reserved."""

import re
import unicodedata

import idna
from django.conf import settings

from foundation.folding import fold

MAX_KEY_CHARS = 64


def username_key(username: str) -> str:
    """The form in which usernames are compared: without case and width, cut to the length of a key."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())[:MAX_KEY_CHARS]


def search_key(display_name: str) -> str:
    """The form in which display names are searched: also without accents."""
    return fold(display_name)[:MAX_KEY_CHARS]


def fold_email(email: str) -> str:
    """Small letters, and the domain in ASCII: `Ann@Bücher.example` and `ann@xn--bcher-kva.example` are one."""
    local, at, domain = email.strip().lower().rpartition("@")
    # The beginning of an address, which moderators search for, may have no domain yet.
    return local + at + _ascii_domain(domain) if at else domain


def login_key(login: str) -> dict[str, str]:
    """The column by which an account is found, and its value, for the email or username of a login."""
    return {"email": fold_email(login)} if "@" in login else {"username_key": username_key(login)}


def _ascii_domain(domain: str) -> str:
    """The domain as the DNS has it (IDNA 2008, UTS 46). Text that is no domain stays: the validator refuses it."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return domain


def is_reserved(username: str) -> bool:
    """Whether RESERVED_USERNAMES has the name, in any case and with `_`, `.` and `-` anywhere in it."""
    return _letters(username) in map(_letters, settings.RESERVED_USERNAMES)


def _letters(username: str) -> str:
    return re.sub("[_.-]", "", username_key(username))
