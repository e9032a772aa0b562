"""The REST fuzzer: schemathesis sends a server valid and invalid requests, made from docs/openapi.yaml.

`python -m tests.proofs.api_fuzz --examples 100 --seed 1` also sends boundary values for each field. Every answer
has to match the document, none may be a 5xx, and protected paths have to refuse requests without a token.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

# This check expects every valid request to be accepted. The schema cannot say that a password is strong or that a
# user exists.
NOT_CHECKED = "positive_data_acceptance"
# The paths lead to existing objects. With random ids every answer would be 404.
CONFIG = """
[parameters]
"path.room_id" = "{room_id}"
"path.message_id" = "{message_id}"
"path.user_id" = "{user_id}"
"""


def fuzz_api(server: ChatServer, *, examples: int, seed: int, phases: str) -> tuple[bool, str]:
    """Returns whether all checks passed, and the report of schemathesis."""
    owner, user = server.sign_up(), server.sign_up()
    room_id = owner.make_room()
    # The fuzzer acts as an admin of the room. An owner would soon delete it.
    member = {"userId": user.id, "role": "admin"}
    assert owner.http.post(f"/api/rooms/{room_id}/members", json=member).status_code == 201
    message_id = owner.send(room_id, "hello")["id"]
    with tempfile.TemporaryDirectory(prefix="chat-api-fuzz-") as folder:
        config = Path(folder) / "schemathesis.toml"
        config.write_text(CONFIG.format(room_id=room_id, message_id=message_id, user_id=owner.id))
        command = [
            Path(sys.executable).with_name("st"), "--config-file", config, "run", ROOT / "docs" / "openapi.yaml",
            "--url", server.base_url, "--header", f"Authorization: Bearer {user.access_token}",
            "--checks", "all", "--exclude-checks", NOT_CHECKED, "--phases", phases, "--seed", str(seed),
            "--max-examples", str(examples), "--generation-database", "none", "--no-shrink",
            "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--continue-on-failure",
        ]  # fmt: skip
        run = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stdout + run.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    server = ChatServer(LOG_LEVEL="WARNING")
    try:
        passed, report = fuzz_api(
            server.start(), examples=options.examples, seed=options.seed, phases="coverage,fuzzing"
        )
        print(report)
        sys.exit(not passed)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
