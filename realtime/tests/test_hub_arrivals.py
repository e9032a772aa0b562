"""Arrivals: repeats and losses among the numbers of other processes' messages."""

from realtime.hub.arrivals import Arrivals


def test_number_when_it_follows_repeats_or_skips_then_flags_say_so() -> None:
    arrivals = Arrivals()
    noted = [arrivals.note("a", number) for number in (1, 2, 2, 1, 5, 6)]
    assert noted == [
        (True, False),
        (True, False),
        (False, False),
        (False, False),
        (True, True),
        (True, False),
    ]


def test_sender_when_its_first_number_is_not_one_then_shows_a_loss() -> None:
    arrivals = Arrivals()
    assert arrivals.note("a", 1) == (True, False)
    assert arrivals.note("b", 7) == (True, True)
    assert arrivals.note("a", 2) == (True, False)


def test_senders_when_too_many_then_the_longest_silent_is_removed() -> None:
    arrivals = Arrivals(max_senders=2)
    for sender, number in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        arrivals.note(sender, number)
    assert arrivals.note("a", 2) == (False, False)
    assert arrivals.note("b", 1) == (True, False)
