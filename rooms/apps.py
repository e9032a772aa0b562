from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "rooms"

    def ready(self) -> None:
        from accounts.activity import on_activity_changed

        from .services.owners import appoint_missing_owners

        on_activity_changed(lambda user_id: appoint_missing_owners(user_id=user_id))
