"""The container's health check: requests `/healthz` or `/readyz` of its server. Exit status 0 means healthy.

It runs every ten seconds and has to start quickly, so it imports the standard library only.
"""

import http.client
import os
import sys

TIMEOUT_SECONDS = 5


def main(path: str) -> int:
    host, port = "127.0.0.1", os.environ.get("PORT", "8000")
    if address := os.environ.get("OPERATIONS_ADDRESS"):
        # It has both paths. An address that means all includes this machine.
        host, _, port = address.rpartition(":")
        loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104  # as Address.shown
        host = loopback.get(host, host.strip("[]"))
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        sys.stdout.write(answer.read(2000).decode(errors="replace"))
    except OSError as error:
        sys.stdout.write(repr(error))
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
