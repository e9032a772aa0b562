"""The answer to a request for the socket's path that is not a WebSocket handshake."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from api.exceptions import error_page
from foundation.errors import Invalid
from realtime.wire.handshake import VERSION


@csrf_exempt
def refuse(request: HttpRequest) -> JsonResponse:
    """426 with what is missing for an upgrade, or 400 for a handshake with a mistake. Any method."""
    wants_upgrade = request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"
    version = VERSION.decode()
    if wants_upgrade and request.headers.get("Sec-WebSocket-Version") == version:
        needed = "HTTP/1.1, no body, and a Sec-WebSocket-Key of 16 bytes in base64"
        return error_page(400, Invalid(f"The WebSocket handshake is not valid. It needs {needed}."))
    answer = error_page(426, Invalid("This is a WebSocket: open it with a WebSocket client of version 13."))
    # Both belong to RFC 9110, section 15.5.22; a wrong version is answered as RFC 6455, section 4.4, says.
    answer["Upgrade"], answer["Connection"] = "websocket", "Upgrade"
    answer["Sec-WebSocket-Version"] = version
    return answer
