"""`manage.py serve`: the production server, which is uvicorn with the settings of this project."""

import os
import shutil
import sys
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.metrics_page import DIRECTORY

# The time for open requests and sockets to end. loop.stop then takes at most 4 s, so a stop takes less than ten.
STOP_SECONDS = 5


class Command(BaseCommand):
    help = "Serve HTTP and sockets with uvicorn."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument(
            "--workers", type=int, default=settings.WORKERS, help="processes; more need REDIS_URL"
        )

    def handle(self, *args: Any, host: str, port: int, workers: int, **options: Any) -> None:
        if workers > 1 and not settings.REDIS_URL:
            raise CommandError(
                "More than one worker needs REDIS_URL, because the in-process layer reaches only one process."
            )
        if workers > 1:
            share_metrics(port)
        self._greet(host, port)
        uvicorn.run(
            "chatproject.asgi:application",
            host=host,
            port=port,
            workers=workers,
            loop="uvloop",
            http="realtime.servers.uvicorn_http:ChatHttpProtocol",
            ws="realtime.servers.uvicorn_websocket:ChatProtocol",
            ws_max_size=settings.MAX_FRAME_BYTES,
            # A vanished peer is found after one interval and one timeout.
            ws_ping_interval=settings.PING_SECONDS,
            ws_ping_timeout=settings.PING_SECONDS,
            ws_per_message_deflate=False,
            timeout_keep_alive=settings.KEEP_ALIVE_SECONDS,
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )

    def _greet(self, host: str, port: int) -> None:
        base = f"http://{host}:{port}"
        # With DEBUG the secret key is made by the server. Like `make run`, `make superuser` sets DEBUG.
        superuser = "make superuser" if settings.DEBUG else "manage.py createsuperuser"
        lines = [
            f"Chat backend on {base}",
            f"  API docs   {base}/docs",
            f"  Events     {base}/docs/events",
            f"  Admin      {base}/admin/   (make an account: {superuser})",
            f"  Socket     ws://{host}:{port}/ws/chat/",
        ]
        if settings.CONSOLE:
            lines.insert(1, f"  Console    {base}/console/   (two windows, two people)")
        if not settings.REDIS_URL:
            lines.append("No REDIS_URL: fan-out, presence and limits work in this process only.")
        self.stdout.write("\n".join(lines))
        sys.stdout.flush()


def share_metrics(port: int) -> None:
    """Make the workers count in files that each worker can add up. They read this variable when they start."""
    directory = settings.DATA_DIR / "metrics" / str(port)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ[DIRECTORY] = str(directory)  # noqa: TID251  # a variable of prometheus_client
