"""BaseAdmin, the base of all admin pages: it counts no tables, and writes only through services."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect

from api.exceptions import error_page
from foundation import loop
from foundation.errors import ChatError
from foundation.text import visible_problem

from .. import services
from ..services import Case
from .lists import FilteredAdmin, UncountedChangeList

PER_PAGE = 50

RowAction = Callable[[Any, Case], Coroutine[Any, Any, Any]]


def require_visible(text: str) -> None:
    """A validator of forms: the text shows something, and has no control characters."""
    if problem := visible_problem(text):
        raise ValidationError(problem)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500, validators=[require_visible], widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )


class BaseAdmin(FilteredAdmin):
    """Rows are read-only. Each change is an action with a reason, which a service carries out."""

    change_list_template = "moderation/change_list.html"
    change_form_template = "moderation/change_form.html"
    list_per_page = PER_PAGE
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    # Links from a row's page to lists of other models, filtered by the row's primary key. Each has a label, a model
    # and a query parameter, for example ("Messages", "messaging_message", "room").
    links: ClassVar[tuple[tuple[str, str, str], ...]] = ()

    class Media:
        css = {"all": ("moderation/admin.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedChangeList

    def prepare(self, rows: Iterable[Any]) -> None:
        """Read values that a page shows and the rows do not have, in one query for all rows."""

    def room_ids(self, rows: Iterable[Any]) -> set[UUID]:
        """The rooms whose messages the page of these rows shows."""
        return set()

    def record_reading(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        services.record_reading(case=case_of(request, "read on the desk"), room_ids=self.room_ids(rows))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields or self.fields or ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A list needs the permission for its actions. A row's page has no form to save.
        return super().has_change_permission(request, obj) and obj is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(csrf_protect)
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show a row's page, without the transaction that Django puts around it.

        The services write in other threads, and on SQLite they would wait for the lock of that transaction.
        """
        try:
            return self._changeform_view(request, *args, **kwargs)  # type: ignore[attr-defined]
        except ChatError as error:
            if request.method == "GET":
                # What the page shows could not be recorded, so it shows nothing.
                return error_page(error.status, error)
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Model | None = context.get("original")
        if row is not None:
            self.record_reading(request, [row])
            actions = self.get_actions(request).values()
            context |= {
                "row_actions": [(name, description) for _, name, description in actions],
                "row_links": [
                    (label, f"{reverse(f'admin:{page}_changelist')}?{parameter}={row.pk}")
                    for label, page, parameter in self.links
                ],
                "changelist_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def act(
        self, request: HttpRequest, queryset: QuerySet[Any], *, title: str, action: RowAction
    ) -> HttpResponse | None:
        """Ask for a reason, and then run `action(row, case)` for each selected row. Each refusal is shown."""
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        rows = list(queryset[: self.list_per_page])
        if not rows:
            messages.warning(request, "Nothing to do: the selected rows are no longer in this list.")
            return None
        if form.is_bound and form.is_valid():
            self._run(request, rows, action, case_of(request, form.cleaned_data["reason"]), title)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "rows": rows,
            "form": form,
            "action": request.POST.get("action"),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "moderation/confirm.html", context)

    def _run(self, request: HttpRequest, rows: list[Any], action: RowAction, case: Case, title: str) -> None:
        done = 0
        for row in rows:
            try:
                loop.call(action(row, case))
                done += 1
            except ChatError as error:
                messages.error(request, f"{row}: {error.message}")
        if done:
            messages.success(request, f"{title}: {done} done.")


def case_of(request: HttpRequest, reason: str) -> Case:
    """The case of the moderator who sent the request."""
    user = request.user
    assert user.is_authenticated
    return Case(
        moderator_id=user.pk,
        moderator_name=user.username,
        reason=reason,
    )


def link(page: str, pk: Any, text: Any) -> SafeString:
    """An HTML link to a row's page. `page` is app and model, for example `rooms_room`."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)
