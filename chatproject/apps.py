"""The composition root as a Django app: it has the deployment's checks."""

from django.apps import AppConfig


class ChatProjectConfig(AppConfig):
    name = "chatproject"

    def ready(self) -> None:
        from . import checks  # noqa: F401  # registers them
