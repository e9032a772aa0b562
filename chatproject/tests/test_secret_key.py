"""The key of development is made once, also by processes that start together, and is never half a key."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatproject.secret_key import MIN_CHARS, kept_key
from tests.kit.mounts import Mount
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # no database

# Waits for the end of its input, so that all processes make the key at the same moment.
MAKER = """
import sys
from pathlib import Path
from chatproject.secret_key import kept_key
sys.stdin.read()
print(kept_key(Path(sys.argv[1])), end="")
"""


def test_key_when_read_again_then_is_the_same_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    key = kept_key(path)
    assert len(key) >= MIN_CHARS
    assert (kept_key(path), path.read_text()) == (key, key)
    assert path.stat().st_mode & 0o777 == 0o600


def test_key_when_processes_start_together_then_all_have_one(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    command = [sys.executable, "-c", MAKER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    makers = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(6)]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.close()
        maker.stdin = None
    assert {maker.communicate(timeout=60)[0] for maker in makers} == {path.read_text()}


@pytest.mark.parametrize("half", ["", "abc"])
def test_key_when_half_written_then_made_anew(tmp_path: Path, half: str) -> None:
    path = tmp_path / "secret_key"
    path.write_text(half)
    assert len(kept_key(path)) >= MIN_CHARS
    assert kept_key(path) == path.read_text()


def test_key_when_the_disk_is_full_then_says_so_and_is_made_later(small_disk: Mount) -> None:
    small_disk.fill()
    path = small_disk.path / "secret_key"
    with pytest.raises(ImproperlyConfigured, match="neither read nor made"):
        kept_key(path)
    small_disk.make_room()
    assert len(kept_key(path)) >= MIN_CHARS
