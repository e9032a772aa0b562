"""TopicOrder: each seq is delivered once and in order, whatever order frames arrive in."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.hub.ordering import MAX_PARKED_FRAMES, TopicOrder
from realtime.wire.frames import Frame


def frame(seq: int | None) -> Frame:
    return Frame(str(seq).encode(), seq=seq)


def seqs(frames: list[Frame]) -> list[int | None]:
    return [ready.seq for ready in frames]


def started(head: int = 0) -> TopicOrder:
    order = TopicOrder()
    order.note_head(head)
    return order


def test_accept_when_a_later_seq_comes_first_then_it_waits():
    order = started()
    assert seqs(order.accept(frame(2))) == []
    assert order.gap == (1, 1)
    assert seqs(order.accept(frame(1))) == [1, 2]
    assert order.gap is None


def test_accept_when_a_seq_comes_again_then_it_is_not_delivered_twice():
    order = started()
    assert seqs(order.accept(frame(1))) == [1]
    assert seqs(order.accept(frame(1))) == []


def test_accept_when_the_head_is_not_known_yet_then_frames_wait_for_it():
    order = TopicOrder()
    assert seqs(order.accept(frame(8))) == []
    assert seqs(order.accept(frame(7))) == []
    assert seqs(order.note_head(6)) == [7, 8]


def test_accept_when_there_is_a_gap_then_edits_wait_behind_it():
    order = started()
    order.accept(frame(2))
    edit, typing = Frame(b"edit"), Frame(b"typing", droppable=True)
    assert order.accept(edit) == []
    assert order.accept(typing) == [typing]
    assert order.accept(frame(1))[-1] is edit


def test_note_head_when_the_last_message_was_lost_then_there_is_a_gap():
    order = started(4)
    order.note_head(6)
    assert order.gap == (5, 6)
    assert seqs(order.fill([frame(5), frame(6)])) == [5, 6]


def test_skip_when_a_gap_cannot_be_filled_then_the_rest_goes_on():
    order = started()
    order.accept(frame(3))
    assert seqs(order.skip()) == [3]
    assert order.position == 3


def test_accept_when_too_many_are_parked_then_the_log_has_the_rest():
    order = started()
    last = MAX_PARKED_FRAMES + 10
    for seq in range(2, last + 1):
        order.accept(frame(seq))
    assert len(order.accept(frame(1))) == MAX_PARKED_FRAMES + 1
    assert order.gap == (MAX_PARKED_FRAMES + 2, last)


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(0, 5))
def test_accept_when_seqs_come_in_any_order_then_delivery_is_dense(arrivals: list[int], head: int):
    order, delivered = started(head), list[int | None]()
    for seq in arrivals:
        delivered += seqs(order.accept(frame(seq)))
    while order.gap is not None:
        first, last = order.gap
        delivered += seqs(order.fill([frame(seq) for seq in range(first, last + 1)]))
    assert delivered == list(range(head + 1, max([head, *arrivals]) + 1))
