"""A Redis replica, and a Sentinel that promotes it when the master is down. Both are real processes on loopback."""

from pathlib import Path

import redis

from .redis_servers import RedisServer, redis_binary

SERVICE = "chatmaster"
DOWN_AFTER_MS = 1000
PASSWORD = "of-redis"


class Replica(RedisServer):
    """Replicates another Redis. Sentinel can make it the master."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__(password=PASSWORD)
        self._master = master

    def options(self) -> list[str]:
        return [
            *super().options(),
            *("--replicaof", "127.0.0.1", str(self._master.port), "--masterauth", PASSWORD),
            *("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"),
        ]


class SentinelServer(RedisServer):
    """A Sentinel that watches `master` and decides alone."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def start(self) -> str:
        config = Path(self.folder) / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._master.port} 1\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        self.spawn(redis_binary(), str(config), "--sentinel")
        self.wait_until(self._answers, "the sentinel")
        return self.url

    def master_port(self) -> int:
        """The port of the current master."""
        with redis.Redis(port=self.port) as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])

    def replicas(self) -> list[int]:
        """The ports of the replicas that could be promoted now."""
        with redis.Redis(port=self.port) as client:
            found = client.sentinel_slaves(SERVICE)
        return [int(one["port"]) for one in found if one["master-link-status"] == "ok"]
