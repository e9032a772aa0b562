from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "operations"

    def ready(self) -> None:
        # The import registers the checks.
        from . import checks, file_modes  # noqa: F401
