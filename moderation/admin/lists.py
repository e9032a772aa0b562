"""The lists of rows: what may be asked of them, and how they are read."""

from typing import Any

from django.contrib.admin import EmptyFieldListFilter, ModelAdmin, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.paginator import Paginator
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse

from api.exceptions import error_page
from foundation.errors import ChatError
from foundation.text import text_problem

MAX_PAGES = 200
MAX_DIGITS = 18
# MongoDB looks for a text with a regular expression, whose length it bounds.
MAX_CHARS = 500


class CheckedChangeList(ChangeList):
    """Refuses text that no row has or that is too long to look for: the list is shown anew, without the filters."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        texts = [text for name, values in request.GET.lists() for text in (name, *values)]
        if any(len(text) > MAX_CHARS or text_problem(text) for text in texts):
            raise IncorrectLookupParameters
        return super().get_queryset(request, *args, **kwargs)


class UncountedChangeList(CheckedChangeList):
    """Reads one page of rows and one row more, which shows whether there is a next page. It counts nothing."""

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= MAX_PAGES:
            # Older rows are found with filters: a large offset reads all rows before it.
            raise IncorrectLookupParameters
        first = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[first : first + self.list_per_page + 1])
        self.has_next = len(rows) > self.list_per_page and self.page_num < MAX_PAGES
        self.result_list = rows[: self.list_per_page]
        self.model_admin.prepare(self.result_list)  # type: ignore[attr-defined]
        self.model_admin.record_reading(request, self.result_list)  # type: ignore[attr-defined]
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = self.multi_page = True
        self.paginator = Paginator(self.result_list, self.list_per_page)

    def _get_deterministic_ordering(self, ordering: list[str]) -> list[str]:
        # The ordering of each page is total already, and one more column would leave its index.
        return ordering

    @property
    def previous_page(self) -> str | None:
        return self.get_query_string({"p": self.page_num - 1}) if self.page_num > 1 else None

    @property
    def next_page(self) -> str | None:
        return self.get_query_string({"p": self.page_num + 1}) if self.has_next else None


class FilteredAdmin(ModelAdmin):
    """Lists are filtered by what their filters offer, and by no other column.

    Django allows each lookup in each column of the model: slow ones, ones that no database here knows, and
    `password__startswith`, with which a hash is read letter by letter.
    """

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CheckedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        for value in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.to_python(value)
            except ValidationError as error:
                raise SuspiciousOperation("No row has such an id.") from error
        try:
            return super().changelist_view(request, extra_context)
        except ChatError as error:
            # What the list shows could not be recorded, so it shows nothing.
            return error_page(error.status, error)

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return any(lookup in _lookups(one) for one in self.list_filter)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The form also sends what it showed: a field that its reader left alone stays as others made it since."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.show_hidden_initial = True
        return field

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, form_class=NumberedChoices, **kwargs)


class NumberedChoices(ModelMultipleChoiceField):
    """Rows with a number as their id. No column takes a longer one."""

    def clean(self, value: Any) -> Any:
        if any(len(str(number)) > MAX_DIGITS for number in value or ()):
            raise ValidationError("There is no such choice.")
        return super().clean(value)


def _lookups(one: Any) -> set[str]:
    """The parameters of an entry of `list_filter`."""
    if isinstance(one, type) and issubclass(one, SimpleListFilter):
        return {str(one.parameter_name)}
    if isinstance(one, str):
        return {f"{one}__exact", f"{one}__isnull"}
    return {f"{one[0]}__isempty"} if one[1] is EmptyFieldListFilter else set()
