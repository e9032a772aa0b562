"""The guide to the errors, compared with the errors and with what the clients know of them."""

import re

import pytest

from chatproject.error_guide import GUIDE, check, markdown
from foundation.errors import ERRORS
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # texts


def test_check_when_an_error_has_no_explanation_then_names_its_code() -> None:
    with pytest.raises(LookupError, match="does not explain: too_old"):
        check(GUIDE, [*ERRORS, "too_old"])


def test_check_when_an_explanation_has_no_error_then_names_its_code() -> None:
    with pytest.raises(LookupError, match=r"no error has: invalid$"):
        check(GUIDE, [code for code in ERRORS if code != "invalid"])


def test_markdown_when_written_then_has_a_section_for_each_error() -> None:
    assert re.findall(r"^## (\w+)$", markdown(), re.M) == [*ERRORS]


@pytest.mark.parametrize(
    "path", ["clients/python/chat_client/errors.py", "clients/js/chat-client.js", "docs/example_chat.html"]
)
def test_clients_when_an_error_is_temporary_then_they_try_again(path: str) -> None:
    """They try again after `rate_limited` too, which says itself how long to wait."""
    (listed,) = re.findall(r"(?:TEMPORARY|temporary) = [^\n]*?[\[{]([^\]}]*)[\]}]", (ROOT / path).read_text())
    temporary = {code for code, error in ERRORS.items() if error.temporary}
    assert set(re.findall(r'"(\w+)"', listed)) == {*temporary, "rate_limited"}
