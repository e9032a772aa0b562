"""The garbage collector of a server, in a process of its own."""

import subprocess
import sys

import pytest

from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # memory

SCRIPT = """
import gc
from foundation.garbage_collection import THRESHOLDS, freeze_loaded_objects

before = len(gc.get_objects())
freeze_loaded_objects()
assert gc.get_freeze_count() > before / 2, gc.get_freeze_count()
assert len(gc.get_objects()) < before / 2
assert gc.get_threshold() == THRESHOLDS
"""


def test_freeze_when_called_then_collections_skip_what_is_loaded() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, check=True, timeout=60)
