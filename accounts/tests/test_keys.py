"""The rotation of signing keys: it reaches every process, and logs nobody out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts import keys
from accounts.models import Session, SigningSeed, User
from foundation import times
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

from .forge import claims_of

MONTH = timedelta(days=30)


def kid_of(user: ChatUser) -> str:
    return str(jwt.get_unverified_header(user.access_token)["kid"])


def refresh(user: ChatUser) -> None:
    with user.server.http() as http:
        answer = http.post("/api/auth/refresh", json={"refreshToken": user.refresh_token})
    assert answer.status_code == 200, answer.text
    user.access_token, user.refresh_token = answer.json()["accessToken"], answer.json()["refreshToken"]


async def test_key_when_rotated_under_two_processes_then_both_accept_it(
    start_server: type[ChatServer],
) -> None:
    one = start_server()
    two = start_server(DATA_DIR=one.env["DATA_DIR"])
    alice, bob = one.sign_up("alice"), two.sign_up("bob")
    # Has only tokens of the old key until the end.
    idle = alice.login(two)
    old = kid_of(alice)
    after = keys.REREAD_SECONDS + 1
    one.manage("rotate_signing_key", "--after", str(after))

    def new_key_signs() -> bool:
        for user in (alice, bob):
            refresh(user)
            for server in (one, two):
                answer = server.http(user).get("/api/users/me")
                assert answer.status_code == 200, answer.text
        return old not in (kid_of(alice), kid_of(bob))

    await until(new_key_signs, "the new key signs", seconds=after + 20, poll_seconds=0.3)
    assert kid_of(alice) == kid_of(bob)
    async with alice.on(two).connect(), bob.on(one).connect(), idle.connect():
        refresh(idle)
    assert kid_of(idle) == kid_of(alice)


@pytest.fixture
def rotated(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """Makes key rings without a database, from the ages of their seeds."""

    class Rotated:
        @staticmethod
        def ring(*ages: timedelta) -> keys.KeyRing:
            seeds = tuple((times.now() - age, f"seed{age.total_seconds()}") for age in ages)
            monkeypatch.setattr(keys.get_seeds(), "read", seeds)
            return keys.get_key_ring()

    with override_settings(REFRESH_TOKEN_SECONDS=MONTH.total_seconds()):
        yield Rotated


def test_ring_when_the_new_key_is_not_due_then_the_older_one_signs(
    rotated: type,
) -> None:
    first = rotated.ring().active
    ring = rotated.ring(timedelta(seconds=-30))
    assert ring.active == first
    assert len(ring.by_kid) == 2


def test_ring_when_it_has_keys_then_the_newest_signs_and_old_ones_expire(
    rotated: type,
) -> None:
    day = timedelta(days=1)
    first = rotated.ring().active
    second = rotated.ring(day).active
    assert second != first
    assert set(rotated.ring(day).by_kid) == {first.kid, second.kid}
    # It stopped signing longer ago than a refresh token lives, so its last token has expired.
    assert set(rotated.ring(MONTH + day).by_kid) == {rotated.ring(MONTH + day).active.kid}
    assert len(rotated.ring(MONTH + day, day).by_kid) == 2


def test_key_when_of_another_secret_key_then_differs(rotated: type) -> None:
    one = rotated.ring(MONTH).active
    with override_settings(SECRET_KEY="b" * 50, SECRET_KEY_FALLBACKS=[]):
        assert rotated.ring(MONTH).active != one


def forged(user: ChatUser) -> str:
    """An access token of the user's session, signed with SECRET_KEY alone."""
    with override_settings(SECRET_KEY=user.server.env["SECRET_KEY"], SECRET_KEY_FALLBACKS=[]):
        key = keys._derive(user.server.env["SECRET_KEY"], keys.NO_SEED)
    return jwt.encode(claims_of(user.access_token), key.secret, algorithm="HS256", headers={"kid": key.kid})


@pytest.mark.smoke
async def test_token_when_signed_with_the_secret_key_alone_then_is_refused(alice: ChatUser) -> None:
    token = forged(alice)
    with alice.server.http(Authorization=f"Bearer {token}") as http:
        assert http.get("/api/users/me").status_code == 401
    alice.access_token = token
    async with alice.connect(ready=False) as client:
        assert await client.close_code() == 4401


def run(server: ChatServer, code: str) -> str:
    """What this code prints in a shell of the server."""
    return server.manage("shell", "-v0", "-c", f"from accounts.models import SigningSeed\n{code}").stdout


def test_first_key_when_two_processes_make_it_at_once_then_they_share_it(
    start_server: Callable[..., ChatServer],
) -> None:
    one = start_server(own_database=True)
    two = ChatServer(**{name: one.env[name] for name in ("DATA_DIR", "DATABASE_URL") if name in one.env})
    alice = one.sign_up("alice")
    one.kill()
    run(one, "SigningSeed.objects.all().delete()")
    old = forged(alice)
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.start(migrate=False), (one, two)))
            bob, carol = pool.map(lambda server: server.sign_up(), (one, two))
        for user, other in ((bob, two), (carol, one)):
            assert user.on(other).http.get("/api/users/me").status_code == 200
        # An installation whose sessions have tokens of SECRET_KEY alone: nobody is logged out.
        assert one.http(Authorization=f"Bearer {old}").get("/api/users/me").status_code == 200
    finally:
        two.stop()
    assert run(one, "print(SigningSeed.objects.count())").strip() == "1"
    passed = keys._lifetime() + timedelta(seconds=1)
    one.kill()
    run(
        one,
        f"from datetime import *\nSigningSeed.objects.update("
        f"signs_from=datetime.now(UTC) - timedelta(seconds={passed.total_seconds()}))",
    )
    one.start(migrate=False)
    assert one.http(Authorization=f"Bearer {old}").get("/api/users/me").status_code == 401


@pytest.mark.smoke
def test_migrate_when_there_is_no_key_then_makes_one(transactional_db: None) -> None:
    SigningSeed.objects.all().delete()
    for _ in range(2):
        call_command("migrate", verbosity=0)
    (first,) = SigningSeed.objects.all()
    assert len(first.seed) == 64
    assert first.signs_from == keys.LONG_AGO, "no session has a token that SECRET_KEY alone signed"


def test_migrate_when_sessions_are_live_then_the_key_signs_later(user: User) -> None:
    SigningSeed.objects.all().delete()
    Session.objects.create(user=user, refresh_jti="x", expires_at=times.now() + timedelta(days=1))
    call_command("migrate", verbosity=0)
    (first,) = SigningSeed.objects.all()
    assert times.now() < first.signs_from <= times.now() + keys.SIGNS_AFTER


def test_seeds_when_none_are_found_then_one_is_made(transactional_db: None) -> None:
    """As in a database that was restored from a copy of an older release."""
    SigningSeed.objects.all().delete()
    seeds = keys.Seeds()
    seeds.reread()
    assert seeds.read is not None
    assert [seed for _, seed in seeds.read] == [SigningSeed.objects.get().seed]


@pytest.mark.django_db
def test_rotate_when_tokens_have_expired_then_deletes_only_their_keys() -> None:
    now = times.now()
    SigningSeed.objects.all().delete()
    for days in (90, 60, 40, 20):
        SigningSeed.objects.create(seed=f"{days}", signs_from=now - timedelta(days=days))
    with override_settings(REFRESH_TOKEN_SECONDS=MONTH.total_seconds()):
        rotation = keys.rotate()
    # The seed of 40 days ago signed until 20 days ago, so its tokens are live. Those before it stopped 40 days ago.
    left = [seed.seed for seed in SigningSeed.objects.all()]
    assert left[:2] == ["40", "20"]
    assert (len(left), rotation.deleted) == (3, 2)


def test_rotate_command_when_run_then_shows_no_secret(server: ChatServer) -> None:
    said = server.manage("rotate_signing_key", "--after", "86400").stdout
    assert "signs from" in said
    assert server.env["SECRET_KEY"] not in said


@pytest.mark.once  # nothing is written
@pytest.mark.parametrize("after", ["nan", "inf", "1e400", "-1", "soon", "36501d"])
def test_rotate_command_when_it_signs_at_no_time_then_is_refused(after: str) -> None:
    with pytest.raises(CommandError, match="--after"):
        call_command("rotate_signing_key", f"--after={after}")
