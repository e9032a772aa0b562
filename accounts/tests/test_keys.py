"""The rotation of signing keys: it reaches every process, and logs nobody out."""

from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts import keys
from accounts.models import SigningSeed
from foundation import times
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until

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


@pytest.mark.django_db
def test_rotate_when_tokens_have_expired_then_deletes_only_their_keys() -> None:
    now = times.now()
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
