"""The bitmap is a set of ordinals that survives being stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.writing.bitmap import Bitmap

SIZES_AND_ORDINALS = st.integers(1, 300).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))
)


@given(SIZES_AND_ORDINALS)
def test_it_holds_what_was_added_and_nothing_else(case: tuple[int, set[int]]) -> None:
    size, ordinals = case
    bitmap = Bitmap(size)

    bitmap.add(ordinals)
    bitmap.add(ordinals)

    assert {each for each in range(size) if each in bitmap} == ordinals
    assert len(bitmap) == len(ordinals)
    assert bitmap.full == (len(ordinals) == size)


@given(SIZES_AND_ORDINALS)
def test_it_is_the_same_after_it_was_stored(case: tuple[int, set[int]]) -> None:
    size, ordinals = case
    before = Bitmap(size)
    before.add(ordinals)

    after = Bitmap(size, bytes(before))

    assert bytes(after) == bytes(before)
    assert all((each in after) == (each in ordinals) for each in range(size))


def test_adding_after_it_was_stored_keeps_both() -> None:
    before = Bitmap(20)
    before.add([0, 19])
    after = Bitmap(20, bytes(before))

    after.add([7])

    assert [each for each in range(20) if each in after] == [0, 7, 19]


@pytest.mark.parametrize(("size", "stored"), [(1, 1), (8, 1), (9, 2), (100_000, 12_500)])
def test_it_takes_a_bit_for_each_request(size: int, stored: int) -> None:
    assert len(bytes(Bitmap(size))) == stored


def test_the_largest_batch_is_full_with_its_last_request_only() -> None:
    bitmap = Bitmap(100_000)

    bitmap.add(range(99_999))
    assert not bitmap.full
    bitmap.add([99_999])

    assert bitmap.full
