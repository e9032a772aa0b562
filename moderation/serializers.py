"""The REST body of a report."""

from api.schema import example
from api.serializers import Serializer
from api.text import VisibleField


@example(reason="This is spam.")
class ReportSerializer(Serializer):
    reason = VisibleField(max_length=1000)
