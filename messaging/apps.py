from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from rooms.log import use_room_log

        from .room_logs import RoomLogs

        use_room_log(RoomLogs())
