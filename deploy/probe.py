"""The container's health check: requests `/healthz` or `/readyz` of its server. Exit status 0 means healthy.

It runs every ten seconds and has to start quickly, so it imports the standard library only.
"""

import http.client
import os
import sys

TIMEOUT_SECONDS = 5


def main(path: str) -> int:
    # The server answers only for its own hosts.
    host = (
        os.environ.get("ALLOWED_HOSTS", "127.0.0.1").partition(",")[0].lstrip(".").replace("*", "127.0.0.1")
    )
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        sys.stdout.write(answer.read(2000).decode(errors="replace"))
    except OSError as error:
        sys.stdout.write(repr(error))
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
