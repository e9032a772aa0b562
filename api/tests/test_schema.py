"""The OpenAPI description of our endpoints, as far as the served document does not show it."""

from types import SimpleNamespace

import pytest

from api.schema import ChatAutoSchema

pytestmark = pytest.mark.once  # no request is made


def test_error_codes_when_a_view_names_an_unknown_one_then_fails() -> None:
    schema = ChatAutoSchema()
    schema.view = SimpleNamespace(error_codes={"create": ("conflict", "too_old")}, action="create")
    with pytest.raises(LookupError, match=r"SimpleNamespace\.error_codes has unknown codes: too_old"):
        schema._errors()
