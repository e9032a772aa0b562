"""The refs of frames, which the answers repeat as they were sent."""

from typing import Any

import msgspec
import pytest

from foundation.errors import Invalid
from realtime.wire.protocol import decode_envelope
from realtime.wire.refs import MAX_REF_CHARS, NO_REF, find_ref

pytestmark = pytest.mark.once  # text in memory

HALF = r"\ud83d"
LONGEST = "r" * MAX_REF_CHARS
ESCAPED = r"\u00e9" * MAX_REF_CHARS
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "ref",
    [
        "7", "0", "-3", "-0", "1.5", "1e3", "2E-7", str(2**63), str(2**80),
        '""', '"a"', f'"{LONGEST}"', f'"{ESCAPED}"',
    ],
)  # fmt: skip
def test_ref_when_a_number_or_a_short_text_then_is_kept_as_sent(ref: str) -> None:
    frame = f'{{"event": "greet", "ref": {ref} , "data": {{}}}}'
    assert bytes(decode_envelope(frame).ref) == ref.encode()
    assert bytes(find_ref(frame)) == ref.encode()
    assert bytes(find_ref(frame.replace("{}", HALF))) == ref.encode()


@pytest.mark.parametrize("ref", ["true", "[1]", '{"ref": 1}', f'"{LONGEST}r"', f'"{ESCAPED}r"', "1" * 65])
def test_ref_when_of_another_type_or_long_then_is_invalid(ref: str) -> None:
    frame = f'{{"event": "greet", "ref": {ref}}}'
    with pytest.raises(Invalid) as refused:
        decode_envelope(frame)
    assert list(refused.value.fields or {}) == ["ref"]
    assert find_ref(frame) is NO_REF
    assert find_ref(frame + HALF) is NO_REF


def test_ref_when_null_or_missing_then_there_is_none() -> None:
    for frame in ('{"event": "greet", "ref": null}', '{"event": "greet"}'):
        assert decode_envelope(frame).ref is NO_REF
        assert find_ref(frame) is NO_REF


@pytest.mark.parametrize(
    ("frame", "ref"),
    [
        ('{"ref": 1}', 1),
        ('{"event": 5, "ref": "a", "data": 5, "more": {}}', "a"),
        ('{"ref": 1, "ref": 2}', 2),
        (r'{"data": {"content": "hi \ud83d", "meta": {"ref": 5}}, "ref": 7}', 7),
        (r'{"\ud83d": {"ref": 5}, "ref": 7}', 7),
        (r'{"event": "\ude00\\", "ref": 7}', 7),
        (r'{"data": "\ud83d \"ref\": 5, {[", "ref" : "\\\"a\""}', '\\"a"'),
        ('{"data": NaN, "ref": 7}', 7),
        ('{"ref": 7} and more', 7),
        ('{"ref": 7}{"ref": 8}', 7),
        ('{"ref": 7, "data": ' + "[" * 1200 + "]" * 1200 + "}", 7),
        ('{"data": ' + "[" * 32_000 + "]" * 32_000 + ', "ref": 7}', 7),
        ('{"ref": 7, "data": ' + "[" * 65_000, 7),
        ('{"ref": NaN}', None),
        ('{"ref": 01}', None),
        ('{"ref": 7', None),  # it may go on
        ('{"ref": "a', None),
        ('{"ref"', None),
        ('{"ref":', None),
        ('[{"ref": 7}, NaN]', None),
        ('{"data": {"ref": 7}, NaN', None),
        ('"ref": 7, NaN', None),
        ("{", None),
        ("", None),
    ],
)
def test_find_ref_when_a_frame_is_refused_then_finds_a_valid_one(frame: str, ref: Any) -> None:
    found = find_ref(frame)
    assert (None if found is NO_REF else msgspec.json.decode(found)) == ref


def test_find_ref_when_it_has_half_of_a_character_then_is_kept() -> None:
    assert bytes(find_ref(r'{"event": "greet", "ref": "\ud83d"}')) == rb'"\ud83d"'


@pytest.mark.parametrize(
    "part", ['"ref":[],', '{"ref":', '"ref', r"\"", '"",', '"ref":1,{', '"ref":"', " ", "1", "[", r"\\", HALF]
)
def test_find_ref_when_a_text_is_hostile_then_takes_linear_time(part: str) -> None:
    """In quadratic time this test takes hours."""
    many = part * (MIB // len(part))
    # The part stands where a key, a text and a number are read.
    for head in ("{NaN,", '{NaN,"ref', '{NaN,"ref":"', '{"ref":1'):
        find_ref(head + many)
