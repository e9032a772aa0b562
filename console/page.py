"""/console/, a page for trying the server by hand, made of static files. CONSOLE=off removes it."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView


@method_decorator(never_cache, name="dispatch")
class Console(TemplateView):
    template_name = "console/console.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.CONSOLE:
            raise Http404
        return super().dispatch(request, *args, **kwargs)
