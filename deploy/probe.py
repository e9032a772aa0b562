"""Asks this container's server for `/healthz` or `/readyz`, as one of its hosts; exit status 0 when it is well.

Knows the environment and HTTP only: it has to start quickly, every ten seconds.
"""

import http.client
import os
import sys

TIMEOUT_SECONDS = 5


def main(path: str) -> int:
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
