"""The errors that clients may see: their codes, their shape on the wire, and how a new one is declared."""

import pytest

from foundation.errors import ERRORS, ChatError, Invalid, Muted, NotFound, Unavailable

pytestmark = pytest.mark.once  # classes


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_error_when_declared_then_has_a_status_and_a_sentence(error: type[ChatError]) -> None:
    assert 400 <= error.status < 600
    assert error.default_message.endswith(".")
    assert error().message


def test_as_data_when_there_are_no_details_then_has_three_fields() -> None:
    assert NotFound("No such room.").as_data(request_id="r1") == {
        "code": "not_found",
        "message": "No such room.",
        "requestId": "r1",
    }


def test_as_data_when_there_are_details_then_has_them_by_their_wire_names() -> None:
    error = Muted("Wait.", fields={"content": ["Too long."]}, retry_after=1.23456)
    data = error.as_data(request_id=None)
    assert (data["fields"], data["retryAfter"]) == ({"content": ["Too long."]}, 1.235)


def test_invalid_when_it_has_fields_then_its_message_names_three() -> None:
    error = Invalid(fields={name: ["Unknown."] for name in ("a", "b" * 100, "c", "d", "e")})
    assert error.message == f"a: Unknown. {'b' * 40}: Unknown. c: Unknown. And 2 more, see fields."


def test_subclass_when_it_has_no_code_then_shares_its_bases() -> None:
    class Away(Unavailable):
        pass

    assert Away().as_data(request_id=None)["code"] == "unavailable"
    assert ERRORS["unavailable"] is Unavailable


def test_subclass_when_its_code_is_declared_elsewhere_then_fails() -> None:
    with pytest.raises(TypeError, match="declare Late, which has a code of its own"):

        class Late(ChatError):
            code, status = "late", 400

    assert "late" not in ERRORS


def test_subclass_when_its_code_is_taken_then_fails() -> None:
    with pytest.raises(TypeError, match="Double has the code of NotFound"):
        type("Double", (ChatError,), {"__module__": ChatError.__module__, "code": "not_found"})
