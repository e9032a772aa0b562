"""The composition root as a Django app: it has the deployment's checks, and says whose pages may use REST."""

from django.apps import AppConfig


class ChatProjectConfig(AppConfig):
    name = "chatproject"

    def ready(self) -> None:
        from . import checks, cors  # noqa: F401  # they register themselves
