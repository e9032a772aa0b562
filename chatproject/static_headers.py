"""The security headers of static files. servestatic answers before Django's middleware could add them."""

from collections.abc import MutableMapping

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    # For a file that is opened by itself: an SVG can contain a script.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


def add_security_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """servestatic's hook, called once for each file when the server starts."""
    for name, value in HEADERS.items():
        headers[name] = value
