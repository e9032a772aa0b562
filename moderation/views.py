"""REST views of reports. Moderators work on the admin site (moderation.admin)."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import user_of
from api.serializers import validated
from api.views import ViewSet
from foundation import loop
from foundation.ids import parse_uuid

from . import services
from .models import Report
from .serializers import ReportSerializer


@extend_schema(tags=["messages"])
class ReportViewSet(ViewSet):
    # Members can create reports, but only moderators can read them.
    queryset = Report.objects.none()
    serializer_class = ReportSerializer
    error_codes = {"create": ("conflict",)}
    pagination_class = None

    @extend_schema(
        summary="Report a message to the moderators",
        request=ReportSerializer,
        responses={201: ReportSerializer},
    )
    def create(self, request: Request, room_id: str, message_id: str) -> Response:
        body = validated(ReportSerializer, request)
        loop.call(
            services.report_message(
                room_id=parse_uuid(room_id),
                message_id=parse_uuid(message_id),
                reporter_id=user_of(request).pk,
                **body,
            )
        )
        return Response(body, status=201)
