"""`manage.py serve`: the production server, which is uvicorn with the settings of this project."""

import os
import shutil
import signal
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from uvicorn import Config, Server
from uvicorn.main import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from chatproject.address import Address
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
        if not 1 <= port <= 65535:
            raise CommandError(f"--port {port} is not from 1 to 65535.")
        if workers < 1:
            raise CommandError(f"--workers {workers} is less than 1.")
        if workers > 1 and not settings.REDIS_URL:
            raise CommandError(
                "More than one worker needs REDIS_URL, because the in-process layer reaches only one process."
            )
        public = Address(host.strip("[]"), port)
        # Before anything else: where another server runs, its files stay as they are.
        sockets = [_listen(address) for address in (public, settings.OPERATIONS_ADDRESS) if address]
        if workers > 1:
            share_metrics(port)
        self._greet(public)
        config = _config(workers)
        if workers > 1:
            Multiprocess(config, sockets=sockets).run()
        else:
            _serve(config, sockets)

    def _greet(self, address: Address) -> None:
        base = f"http://{address.shown}"
        documents = f"http://{settings.OPERATIONS_ADDRESS.shown}" if settings.OPERATIONS_ADDRESS else base
        # With DEBUG the secret key is made by the server. Like `make run`, `make superuser` sets DEBUG.
        superuser = "make superuser" if settings.DEBUG else "manage.py createsuperuser"
        lines = [
            f"Chat backend on {base}",
            f"  API docs   {documents}/docs",
            f"  Events     {documents}/docs/events",
            f"  Admin      {base}/admin/   (make an account: {superuser})",
            f"  Socket     ws://{address.shown}/ws/chat/",
        ]
        if settings.CONSOLE:
            lines.insert(1, f"  Console    {base}/console/   (two windows, two people)")
        if not settings.REDIS_URL:
            lines.append("No REDIS_URL: fan-out, presence and limits work in this process only.")
        self.stdout.write("\n".join(lines))
        sys.stdout.flush()


def _listen(address: Address) -> socket.socket:
    try:
        return address.listen()
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {address.host} port {address.port}: {error.strerror}."
        ) from error


def _config(workers: int) -> Config:
    return Config(
        "chatproject.asgi:application",
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


def _serve(config: Config, sockets: list[socket.socket]) -> None:
    """Serve in this process until SIGTERM, SIGINT or SIGHUP. With workers uvicorn replaces them at SIGHUP."""
    server = Server(config)
    # uvicorn handles the other two. By default a closed terminal would kill the process in the middle of its work.
    signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        server.run(sockets=sockets)
    except KeyboardInterrupt:
        # uvicorn has stopped, and raises the signal once more.
        return
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def share_metrics(port: int) -> None:
    """Make the workers count in files that each worker can add up. They read this variable when they start."""
    directory = settings.DATA_DIR / "metrics" / str(port)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ[DIRECTORY] = str(directory)  # noqa: TID251  # a variable of prometheus_client
