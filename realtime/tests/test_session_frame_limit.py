"""FrameLimiter: the limit of one connection's frames."""

import pytest

from foundation.errors import Invalid, RateLimited
from foundation.limits.rates import Rate
from realtime.session.frame_limit import REFUSALS_BEFORE_CLOSE, FrameLimiter
from realtime.wire.close_codes import CloseCode, CloseSocket

pytestmark = pytest.mark.once  # counts in memory


def test_frame_limiter_when_a_peer_goes_on_while_limited_then_closes() -> None:
    limiter = FrameLimiter(Rate(1, 3600))
    limiter.check()
    with pytest.raises(RateLimited) as refused:
        limiter.check()
    limiter.note(Invalid())
    for _ in range(REFUSALS_BEFORE_CLOSE - 1):
        limiter.note(refused.value)
    with pytest.raises(CloseSocket) as closed:
        limiter.note(refused.value)
    assert closed.value.code is CloseCode.LIMITED
