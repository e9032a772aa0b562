"""deploy/nginx.conf in a real nginx, in front of two processes. Ten seconds; skipped without nginx."""

import json
import re
import shutil
from collections.abc import Callable, Iterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.kit.errors import error_of
from tests.kit.paths import ROOT
from tests.kit.processes import Process, free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

CLIENT, STRANGER = "127.0.0.2", "203.0.113.9"
MAIN = """
worker_processes 1;
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chat.conf;
}}
"""


class Nginx(Process):
    """nginx with deploy/nginx.conf. Only paths and addresses differ: the processes replace Docker's DNS."""

    def __init__(self, servers: list[ChatServer]) -> None:
        super().__init__()
        self.port = free_port()
        self.access_log = self.folder / "access.log"
        backends = "".join(
            f"server 127.0.0.1:{server.port} max_fails=1 fail_timeout=5s;" for server in servers
        )
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for pattern, new in (
            (r"resolver 127\.0\.0\.11 valid=5s;", ""),
            (r"server app:8000 resolve max_fails=1 fail_timeout=5s;", backends),
            (r"listen 80;", f"listen 127.0.0.1:{self.port};"),
            (r"/var/log/nginx/access\.log", str(self.access_log)),
        ):
            text, found = re.subn(pattern, new, text)
            assert found, pattern
        (self.folder / "chat.conf").write_text(text)
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder))

    def start(self, program: str) -> None:
        self.spawn(program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"))
        self.wait_until(lambda: self.http().get("/healthz").status_code == 200, "nginx")

    def http(self, **headers: str) -> httpx.Client:
        """A client with an address of its own."""
        transport = httpx.HTTPTransport(local_address=CLIENT)
        url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=url, headers=headers, transport=transport, timeout=30)


@pytest.fixture
def program() -> str:
    found = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if found is None:
        pytest.skip("nginx is not installed")
    return found


@pytest.fixture
def servers(
    program: str, redis_server: RedisServer, start_server: Callable[..., ChatServer]
) -> list[ChatServer]:
    env = {"REDIS_URL": redis_server.url, "TRUSTED_PROXIES": "1"}
    first = start_server(**env)
    return [first, start_server(**env, DATA_DIR=first.env["DATA_DIR"])]


@pytest.fixture
def nginx(program: str, servers: list[ChatServer]) -> Iterator[Nginx]:
    proxy = Nginx(servers)
    try:
        proxy.start(program)
        yield proxy
    finally:
        proxy.stop()


def _desk_login(http: httpx.Client, origin: str) -> int:
    """The status of a login at the desk with a wrong password, from a page of this origin."""
    cookie = http.get("/admin/login/").headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "X-CSRFToken": cookie.partition("=")[2], "Origin": origin}
    return http.post("/admin/login/", data={"username": "a", "password": "b"}, headers=headers).status_code


async def test_nginx_when_before_two_processes_then_the_whole_chat_works(
    nginx: Nginx, servers: list[ChatServer]
) -> None:
    spoofed = {"X-Forwarded-For": STRANGER, "X-Request-ID": "of-a-client"}
    with nginx.http(**spoofed) as http:
        account = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}
        signed_up = http.post("/api/auth/signup", json=account)
        assert signed_up.status_code == 201, signed_up.text
        token = signed_up.json()["accessToken"]
        http.headers["Authorization"] = f"Bearer {token}"

        # The application uses the address and the request id that nginx sets, not those that the client claims.
        assert [login["ip"] for login in http.get("/api/auth/sessions").json()["results"]] == [CLIENT]
        request_ids = [http.get("/api/users/me").headers.get_list("X-Request-ID") for _ in range(4)]
        assert all(re.fullmatch("[0-9a-f]{32}", *ids) for ids in request_ids)
        # nginx logs a request after it has sent the answer.
        nginx.wait_until(
            lambda: all(ids[0] in nginx.access_log.read_text() for ids in request_ids), "the log"
        )

        assert "class ChatClient" in http.get("/static/chat_client/chat-client.js").text
        assert http.get("/console/").status_code == 200
        assert _desk_login(http, f"http://127.0.0.1:{nginx.port}") == 200
        assert _desk_login(http, "https://evil.example") == 403
        assert http.get("/metrics").status_code == 404
        too_large = http.post("/api/rooms", content=b" " * 1_100_000)
        error_of(too_large, 413, "too_large")

        # The socket, and Socket.IO's polling, which must reach the same process each time.
        url = f"ws://127.0.0.1:{nginx.port}/ws/chat/?token={token}"
        async with connect(url, origin=f"http://127.0.0.1:{nginx.port}") as ws:
            assert json.loads(await ws.recv())["event"] == "ready"
            await ws.send('{"event": "ping", "ref": 1}')
            assert json.loads(await ws.recv())["event"] == "reply"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403
        query = {"EIO": "4", "transport": "polling"}
        query["sid"] = json.loads(http.get("/socket.io/", params=query).text[1:])["sid"]
        connected = http.post("/socket.io/", params=query, content="40" + json.dumps({"token": token}))
        assert connected.status_code == 200
        while "ready" not in (polled := http.get("/socket.io/", params=query)).text:
            assert polled.status_code == 200, polled.text
        assert token not in nginx.access_log.read_text()

        # One process ends: the other answers its reads. Both end: the error has the usual shape.
        servers[0].kill()
        assert {http.get("/api/users/me").status_code for _ in range(10)} == {200}
        servers[1].kill()
        error_of(http.get("/api/users/me"), 503, "unavailable")
