"""Room for bodies: what is held at once is bounded, and small ones always fit."""

import pytest

from taijitu.server.limits import Full, Room


def test_all_bodies_together_have_so_much_room() -> None:
    room = Room(100, free=10)
    with room.one() as first:
        first(60)
        first(70)
        assert room.taken == 60
        with room.one() as second:
            second(50)
            with pytest.raises(Full):
                second(51)
        assert room.taken == 60
    assert room.taken == 0


def test_small_bodies_fit_where_nothing_else_does() -> None:
    room = Room(100, free=10)
    with room.one() as large, room.one() as small:
        large(110)
        small(10)
        with pytest.raises(Full):
            small(11)
