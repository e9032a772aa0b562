"""The body of a report."""

from api.serializers import Serializer
from api.text import TextField


class ReportSerializer(Serializer):
    reason = TextField(max_length=1000)
