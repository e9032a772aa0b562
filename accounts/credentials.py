"""Checks passwords at login and refresh tokens, each with its limits. The desk uses the same check as REST.

Synchronous, for views. Passwords are hashed on the threads of `passwords`; one that a limit refuses is not hashed.
"""

from uuid import UUID

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from api.clients import client_network
from api.throttling import check_rate, check_refused_token
from foundation import loop
from foundation.errors import ChatError, InvalidCredentials, RateLimited
from foundation.ids import uuid7
from foundation.limits.named import (
    LOGIN_ACCOUNT,
    LOGIN_IP,
    LOGIN_NEW_ADDRESSES,
    PASSWORD_SESSION,
    REFRESH_SESSION,
)
from foundation.proxies import UNKNOWN, network_of
from foundation.security_log import Action, Event, Outcome, record, recorded

from . import keys, logins, selectors
from .models import User
from .names import login_key
from .passwords import MAX_PASSWORD_CHARS
from .tokens import RefreshClaims, verify_refresh


@sensitive_variables("password")
def check_credentials(
    request: HttpRequest, *, login: str, password: str, action: Action = Action.LOGIN
) -> User:
    """The account with this email or username, if the password is right. The attempt is recorded as `action`.

    Raises RateLimited; Overloaded; InvalidCredentials, for an unknown account too, and after the same work;
    Forbidden for a deactivated account, but only if the password is right.
    """
    with recorded(action) as event:
        user = _limited_account(request, login, event)
        if len(password) > MAX_PASSWORD_CHARS:
            raise InvalidCredentials
        return loop.call(logins.verify_password(user=user, password=password))


@sensitive_variables("token")
def check_refresh_token(request: HttpRequest, token: str) -> RefreshClaims:
    """The claims of the refresh token, by signature, type and expiry alone.

    The request is counted for the token's session, and for the address only if the token is not accepted: those who
    share an address do not use up each other's refreshes. Raises RateLimited, Unauthenticated, TokenExpired.
    """
    keys.get_seeds().reread()
    try:
        claims = verify_refresh(token)
    except ChatError as error:
        check_refused_token(request, token, error)
        raise
    check_rate(request, REFRESH_SESSION, key=str(claims.session_id))
    return claims


@sensitive_variables("current_password", "new_password")
def change_password(
    request: HttpRequest,
    *,
    user_id: UUID,
    session_id: UUID | None,
    current_password: str,
    new_password: str,
) -> None:
    """Set a new password, and end every login of the user but the session. Counted for the session.

    Raises RateLimited, Overloaded, Invalid, Conflict.
    """
    try:
        check_rate(request, PASSWORD_SESSION, key=str(session_id or user_id))
    except RateLimited:
        record(Action.PASSWORD_CHANGE, outcome=Outcome.LIMITED, account=user_id)
        raise
    change = logins.change_password(
        user_id=user_id,
        session_id=session_id,
        current_password=current_password,
        new_password=new_password,
    )
    loop.call(change)


def _limited_account(request: HttpRequest, login: str, event: Event) -> User | None:
    """The account of the login, if any, after its attempt was counted. Raises RateLimited.

    Guesses are counted for the account and the network that they come from, so a guesser locks out himself and not
    the owner. What many networks may guess together is bounded too; that bound does not hold where the account was
    logged in before, so its owner still gets in.
    """
    network = client_network(request.META)
    (event.account,) = login_key(login).values()
    check_rate(request, LOGIN_IP, key=network)
    user = selectors.find_account(login=login)
    if user is not None:
        event.account = user.pk
    check_rate(request, LOGIN_ACCOUNT, key=f"{event.account} {network}")
    # Without an account a random id, so that the answer takes as long.
    if not _has_been_used_in(network, user.pk if user else uuid7()):
        check_rate(request, LOGIN_NEW_ADDRESSES, key=str(event.account))
    return user


def _has_been_used_in(network: str, user_id: UUID) -> bool:
    addresses = selectors.session_addresses(user_id=user_id)
    return network != UNKNOWN and network in map(network_of, addresses)
