from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ModerationConfig(AppConfig):
    name = "moderation"

    def ready(self) -> None:
        from .desk import cookies  # noqa: F401  # it registers its receivers


class DeskConfig(AdminConfig):
    """Django's admin with the desk as its site."""

    default_site = "moderation.desk.desk_site.Desk"
