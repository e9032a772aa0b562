"""What is typed into the admin pages is answered, however odd: a page, a refusal or a redirect, never a crash.

The pages, filters and fields come from the registry of the admin, so new ones are tested too.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import Session, User
from foundation.ids import uuid7
from rooms.models import Room

from .test_admin import add_rows

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# NUL, which PostgreSQL refuses; the ends of time, also beyond them in UTC; numbers beyond every column; a half of a
# pair, in the UTF-8 that browsers do not send; operators of SQL and MongoDB; ids in forms that only Python reads.
ODD = [
    "a\x00b", "%ED%A0%80", "0001-01-01T00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59",
    "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z", "0000-00-00T99:99", "-1", "0",
    "99999999999999999999", "1e999", "' OR 1=1 --", "%_\\", "[$ne]", '{"$ne": null}', ",", "\u202e\u200b",
    "x" * 3000, "urn:uuid:01a20bd1-bed6-707d-bd3a-71bea614e6cb", "01a20bd1-bed6-707d-bd3a-71bea614e6cb",
]  # fmt: skip
# For lookups in columns that no filter offers.
ODDEST = [ODD[0], ODD[3], ODD[5], ODD[10], ODD[15]]
PARAMETERS = ["q", "p", "o", "e", "all", "_facets", "_to_field", "_popup", "nothing"]
LOOKUPS = [
    "",
    "__exact",
    "__in",
    "__gte",
    "__isnull",
    "__year",
    "__contains",
    "__regex",
    "__nothing",
    "__isempty",
]


@pytest.fixture
def browser(browser: Client) -> Client:
    browser.raise_request_exception = False
    return browser


def encoded(value: str) -> str:
    return value if value.startswith("%ED") else quote(value)


def list_path(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def queries(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Parameters and values: of the list, of its filters, and lookups in the model's columns that nobody offers."""
    names, lookups = list(PARAMETERS), []
    for one in admin.site._registry[model].list_filter:
        if isinstance(one, type) and issubclass(one, SimpleListFilter):
            names.append(str(one.parameter_name))
        else:
            name = one if isinstance(one, str) else one[0]
            lookups += [name + lookup for lookup in LOOKUPS]
    for name in ("pk", "created_at", "room__id", "user__password"):
        lookups += [name + lookup for lookup in ("", "__gte", "__year")]
    filters = names[len(PARAMETERS) :]
    yield from product(["q", *filters], ODD)
    yield from product([*PARAMETERS, *lookups], ODDEST)


def row_of(model: type[Model], root: User) -> Model:
    rows = add_rows(root, 1)
    Group.objects.create(name="moderators")
    Session.objects.create(
        user=root, refresh_jti="j", expires_at=Room.objects.get(pk=rows["room"]).created_at
    )
    row = model._default_manager.first()
    assert row is not None, f"{model._meta.label} has no row"
    return row


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_list_when_a_parameter_is_odd_then_it_answers(
    browser: Client, root: User, model: type[Model]
) -> None:
    row_of(model, root)
    crashed = []
    for parameter, value in queries(model):
        path = f"{list_path(model)}?{parameter}={encoded(value)}"
        if (status := browser.get(path).status_code) >= 500:
            crashed.append((path[:200], status))
    assert crashed == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_row_when_its_id_is_odd_then_it_answers(browser: Client, root: User, model: type[Model]) -> None:
    row, crashed = row_of(model, root), []
    for value in [*ODD, str(row.pk)]:
        for page in ("change/", "delete/", "history/", ""):
            path = f"{list_path(model)}{encoded(value)}/{page}"
            if (status := browser.get(path).status_code) >= 500:
                crashed.append((path[:200], status))
        actions = list(admin.site._registry[model].actions or ())
        fields: list[dict[str, Any]] = [{"action": value, "_selected_action": str(row.pk)}]
        fields += [{"action": name, "_selected_action": value} for name in actions[:1]]
        fields += [{"action": name, "_selected_action": str(row.pk), "index": value} for name in actions[:1]]
        for form in fields:
            if (status := browser.post(list_path(model), form).status_code) >= 500:
                crashed.append((str(form)[:200], status))
    assert crashed == []


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (User, ("display_name", "avatar_url", "is_staff", "is_superuser", "groups", "user_permissions")),
        (Room, ("retention_days", "initial-retention_days")),
        (Group, ("name", "permissions")),
    ],
)
def test_form_when_a_field_is_odd_then_it_answers(
    browser: Client, root: User, model: type[Model], names: tuple[str, ...]
) -> None:
    row_of(model, root)
    row: Any = (
        model._default_manager.exclude(pk=root.pk).first()
        if model is User
        else model._default_manager.first()
    )
    usual = {User: {"display_name": "A name"}, Group: {"name": "moderators"}}.get(model, {})
    paths = [f"{list_path(model)}{row.pk}/change/"] + ([f"{list_path(model)}add/"] if model is Group else [])
    crashed = []
    for path in paths:
        for name in names:
            for value in ODD:
                if (status := browser.post(path, {**usual, name: value}).status_code) >= 500:
                    crashed.append((path, name, value[:50], status))
    assert crashed == []


def test_site_when_a_page_is_odd_then_it_answers(browser: Client, root: User) -> None:
    crashed, permission = [], Permission.objects.first()
    assert permission is not None
    for value in ODD:
        odd = encoded(value)
        paths = [f"r/{odd}/{uuid7()}/", f"r/{permission.content_type_id}/{odd}/", f"{odd}/", f"jsi18n/?x={odd}",
                 f"autocomplete/?term={odd}&app_label={odd}&model_name={odd}&field_name={odd}"]  # fmt: skip
        statuses = {path: browser.get(f"/admin/{path}").status_code for path in paths}
        form = {"old_password": value, "new_password1": value, "new_password2": value}
        statuses["password_change"] = browser.post("/admin/password_change/", form).status_code
        stranger = Client(SERVER_NAME="localhost", raise_request_exception=False)
        login = {"username": value, "password": value, "next": value}
        statuses["login"] = stranger.post(f"/admin/login/?next={odd}", login).status_code
        crashed += [(path[:100], status) for path, status in statuses.items() if status >= 500]
    assert crashed == []
