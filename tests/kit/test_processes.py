"""Child processes of the kit."""

import sys
from collections.abc import Iterator

import pytest

from .processes import Process

pytestmark = pytest.mark.once  # needs no database


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.stop()


def test_wait_when_the_process_ends_early_then_raises_with_its_log(process: Process) -> None:
    process.spawn(sys.executable, "-c", "import sys; sys.exit('no such port')")
    with pytest.raises(RuntimeError, match=r"(?s)in vain for the server:.*no such port"):
        process.wait_until(lambda: False, "the server")


def test_wait_when_connections_fail_at_first_then_tries_again(process: Process) -> None:
    tries: list[int] = []

    def works() -> bool:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ConnectionRefusedError
        return True

    process.spawn(sys.executable, "-c", "import signal; signal.pause()")
    process.wait_until(works, "the server")
    assert len(tries) == 2


def test_stop_when_the_process_runs_then_ends_it_and_removes_its_folder(process: Process) -> None:
    process.spawn(sys.executable, "-c", "import signal; signal.pause()")
    process.stop()
    assert process.process is not None
    assert process.process.poll() is not None
    assert not process.folder.exists()
