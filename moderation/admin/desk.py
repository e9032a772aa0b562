"""DeskAdmin, the base of all pages: no counts of whole tables, nothing written but through services.

Knows Django's admin; must not know any model.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect

from foundation import loop
from foundation.errors import ChatError

from ..services import Case

MAX_PAGES = 200
PER_PAGE = 50

Deed = Callable[[Any, Case], Coroutine[Any, Any, Any]]


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}))


class DeskChangeList(ChangeList):
    """Reads the rows of one page and one more, which says whether there is a next: nothing is ever counted."""

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= MAX_PAGES:
            raise IncorrectLookupParameters  # older rows are found by filters, not by paging through all
        first = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[first : first + self.list_per_page + 1])
        self.has_next = len(rows) > self.list_per_page and self.page_num < MAX_PAGES
        self.result_list = rows[: self.list_per_page]
        self.model_admin.prepare(self.result_list)  # type: ignore[attr-defined]
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = self.multi_page = True
        self.paginator = Paginator(self.result_list, self.list_per_page)

    def _get_deterministic_ordering(self, ordering: list[str]) -> list[str]:
        return ordering  # each desk's ordering is total; one more column would leave the index

    @property
    def previous_page(self) -> str | None:
        return self.get_query_string({"p": self.page_num - 1}) if self.page_num > 1 else None

    @property
    def next_page(self) -> str | None:
        return self.get_query_string({"p": self.page_num + 1}) if self.has_next else None


class DeskAdmin(admin.ModelAdmin):
    """Rows are looked at; what is done to them is an action, with a reason, that a service carries out."""

    change_list_template = "moderation/change_list.html"
    change_form_template = "moderation/change_form.html"
    list_per_page = PER_PAGE
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    links: ClassVar[
        tuple[tuple[str, str, str], ...]
    ] = ()  # (label, list, its filter), filtered by this row's pk

    class Media:
        css = {"all": ("moderation/desk.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeskChangeList

    def prepare(self, rows: Iterable[Any]) -> None:
        """Read what a page of rows shows besides their own columns, in one query for all."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields or self.fields or ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and obj is None  # actions, but no form to save

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(csrf_protect)
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Without the transaction that Django wraps around it: the services write in threads of their own, and
        on SQLite would wait for a lock that this one holds."""
        try:
            return self._changeform_view(request, *args, **kwargs)  # type: ignore[attr-defined]
        except ChatError as error:
            messages.error(request, error.message)
            return HttpResponse(status=302, headers={"Location": request.get_full_path()})

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Model | None = context.get("original")
        if row is not None:
            actions = self.get_actions(request).values()
            context |= {
                "desk_actions": [(name, description) for _, name, description in actions],
                "desk_links": [
                    (label, f"{reverse(f'admin:{page}_changelist')}?{parameter}={row.pk}")
                    for label, page, parameter in self.links
                ],
                "changelist_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def act(
        self, request: HttpRequest, queryset: QuerySet[Any], *, title: str, deed: Deed
    ) -> HttpResponse | None:
        """Ask for a reason, and then do `deed(row, case)` to each selected row; refusals are shown one by one."""
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        rows = list(queryset[: self.list_per_page])
        if not rows:
            messages.warning(request, "Nothing to do: what was selected is no longer in this list.")
            return None
        if form.is_bound and form.is_valid():
            self._carry_out(request, rows, deed, case_of(request, form.cleaned_data["reason"]), title)
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

    def _carry_out(self, request: HttpRequest, rows: list[Any], deed: Deed, case: Case, title: str) -> None:
        done = 0
        for row in rows:
            try:
                loop.call(deed(row, case))
                done += 1
            except ChatError as error:
                messages.error(request, f"{row}: {error.message}")
        if done:
            messages.success(request, f"{title}: {done} done.")


def case_of(request: HttpRequest, reason: str) -> Case:
    user = request.user
    assert user.is_authenticated
    return Case(
        moderator_id=user.pk,
        moderator_name=user.username,
        is_superuser=user.is_superuser,
        reason=reason,
    )


def link(page: str, pk: Any, text: Any) -> SafeString:
    """A link to a row's page; `page` is app_model."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)
