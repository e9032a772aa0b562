"""Filters with a text field: by room, user or time. An index answers each of them.

They have no list of values to choose from, because there may be millions.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import selectors as accounts
from accounts.models import User
from accounts.names import fold_email
from foundation import times
from foundation.folding import fold
from foundation.ids import first_id_at, read_id
from rooms.models import Room

MAX_MATCHES = 50
# A message gets its id when it is sent and its time when it is stored, from clocks that may differ a little.
SLACK = timedelta(minutes=1)
# What a browser sends for a field of the type datetime-local: no offset, and no seconds if they are zero.
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(?:\.\d+)?)?", re.ASCII)


class InputFilter(admin.SimpleListFilter):
    template = "moderation/input_filter.html"
    input_type = "text"
    placeholder = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # Django shows no filter that has no choice.
        return [("", "")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield one choice: the value of the field, and the other parameters that the form has to keep."""
        kept = {name: values[-1] for name, values in changelist.get_filters_params().items()}
        kept.pop(str(self.parameter_name), None)
        if changelist.query:
            kept["q"] = changelist.query
        yield {"kept": kept.items(), "value": self.value() or "", "name": self.parameter_name}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = (self.value() or "").strip()
        if not value:
            return queryset
        try:
            return queryset.filter(self.condition(value))
        except ValueError as error:
            notices.error(request, f"{self.title}: {error}")
            return queryset.none()

    def condition(self, value: str) -> Q:
        """What the rows have to fulfil. Raises ValueError for text that it cannot read."""
        raise NotImplementedError


class RoomFilter(InputFilter):
    title = parameter_name = "room"
    placeholder = "id, or part of the name"

    def condition(self, value: str) -> Q:
        if room_id := uuid_of(value):
            return Q(room_id=room_id)
        if not (name := fold(value)):
            raise ValueError("Give a text that shows something.")
        rooms = Room.objects.filter(search_name__contains=name).values_list("pk", flat=True)
        return Q(room_id__in=list(rooms[:MAX_MATCHES]))


class UserFilter(InputFilter):
    title = parameter_name = "user"
    field = "user"
    placeholder = "id, name or email"

    def condition(self, value: str) -> Q:
        if user_id := uuid_of(value):
            return Q(**{f"{self.field}_id": user_id})
        users = User.objects.filter(matches(value)).values_list("pk", flat=True)[:MAX_MATCHES]
        return Q(**{f"{self.field}_id__in": list(users)})


class AuthorFilter(UserFilter):
    title = parameter_name = "author"
    field = "sender"


class SinceFilter(InputFilter):
    """Filters by the id, which begins with its time: a range of the primary key, so no other index is needed."""

    title, parameter_name, input_type = "from (UTC)", "since", "datetime-local"

    def condition(self, value: str) -> Q:
        moment = moment_of(value)
        return Q(pk__gte=first_id_at(moment, slack=-SLACK), created_at__gte=moment)


class UntilFilter(InputFilter):
    title, parameter_name, input_type = "until (UTC)", "until", "datetime-local"

    def condition(self, value: str) -> Q:
        moment = moment_of(value)
        return Q(pk__lt=first_id_at(moment, slack=SLACK), created_at__lt=moment)


def matches(term: str) -> Q:
    """A condition for users whose username, display name or email begins with the term."""
    email = fold_email(term)
    return accounts.name_starts_with(term.strip()) | Q(email__gte=email, email__lt=email + accounts.LAST)


def uuid_of(value: str) -> UUID | None:
    try:
        return read_id(value.strip())
    except ValueError:
        return None


def moment_of(value: str) -> datetime:
    """The time in a field, in UTC unless it names an offset. Raises ValueError for other text."""
    if local := LOCAL_TIME.fullmatch(value):
        value += "Z" if local[1] else ":00Z"
    return times.parse(value)
