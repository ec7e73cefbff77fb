"""A custom_id carries all that collect must know, within what the API allows."""

import re
from string import ascii_letters, digits

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nightshift.claude import custom_id
from nightshift.claude.custom_id import HASH, CustomId
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute

ALLOWED = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # the API's own pattern
DIGEST = "sentsent"
ANY_ID = st.text(st.characters(codec="utf-8"), min_size=1)
PLAIN_ID = st.text(ascii_letters + digits + "-_", min_size=1, max_size=70)
LONG_ID = st.builds(lambda start, size: (start * size)[:size], ANY_ID, st.integers(1, 1024))
TICKET_IDS = (ANY_ID | PLAIN_ID | LONG_ID).filter(lambda each: len(each.encode()) <= 1024)
ORDINALS = st.integers(0, 99_999)


def name_request(ticket_id: str, ordinal: int = 0) -> CustomId:
    return CustomId("tok-en_1", ordinal, DIGEST, *custom_id.name_ticket(ticket_id))


@given(TICKET_IDS, ORDINALS)
@example("a" * 44, 0)
@example("a" * 45, 99_999)
@example("\u212a", 2)  # lowercase, it is an ASCII k
@example("/" * 33, 1)
@example("/" * 34, 1)
@example("\U0001f3ab" * 256, 1)
def test_every_ticket_id_comes_back_or_is_hashed(ticket_id: str, ordinal: int) -> None:
    request = name_request(ticket_id, ordinal)

    parsed = custom_id.parse(str(request))

    assert ALLOWED.fullmatch(str(request))
    assert parsed == request
    assert parsed.ticket_id == (None if parsed.encoding == HASH else ticket_id)


@given(TICKET_IDS)
def test_only_an_id_that_does_not_fit_is_hashed(ticket_id: str) -> None:
    encoding, _ = custom_id.name_ticket(ticket_id)

    fits_as_it_is = re.fullmatch(r"[A-Za-z0-9_-]{1,44}", ticket_id) is not None
    fits_as_base64 = len(ticket_id.encode()) <= 33
    assert (encoding == HASH) == (not fits_as_it_is and not fits_as_base64)


@given(TICKET_IDS)
@example("tm-ab12cd")
@example("Straße/" * 40)
def test_ids_that_differ_only_by_case_stay_apart(ticket_id: str) -> None:
    other = ticket_id.swapcase()
    assume(other != ticket_id and len(other.encode()) <= 1024)

    assert custom_id.name_ticket(ticket_id) != custom_id.name_ticket(other)


@given(TICKET_IDS)
def test_an_id_that_looks_like_the_name_of_another_stays_apart(ticket_id: str) -> None:
    _, name = custom_id.name_ticket(ticket_id)
    assume(name != ticket_id)

    assert custom_id.name_ticket(name) != custom_id.name_ticket(ticket_id)


@pytest.mark.parametrize("ordinal", [0, 1, 63, 64, 4_095, 4_096, 99_999])
def test_every_place_in_the_largest_batch_comes_back(ordinal: int) -> None:
    parsed = custom_id.parse(str(name_request("T-1", ordinal)))

    assert parsed is not None
    assert parsed.ordinal == ordinal


def test_two_places_in_a_batch_never_have_one_name() -> None:
    names = {str(name_request("T-1", ordinal)) for ordinal in range(100_000)}

    assert len(names) == 100_000


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "request-1",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "tok-en_1000sentsenti",
        "tok-en_1000sentsentxT-1",
        "tok-en_1000sentsentiT 1",
        "tok-en_1000sentsentiT-1\n",
        "tok-en_1000sentsentiT-é",
        "tok-en_1000sentsenti" + "a" * 45,
        None,
        7,
        b"tok-en_1000sentsentiT-1",
        ["tok-en_1000sentsentiT-1"],
    ],
)
def test_a_name_that_is_not_ours_is_none(foreign: object) -> None:
    assert custom_id.parse(foreign) is None


@pytest.mark.parametrize("name", ["A", "_w", "gA", "AAAAA"])
def test_a_name_that_does_not_decode_is_none(name: str) -> None:
    assert custom_id.parse(f"tok-en_1000sentsentb{name}") is None


@given(st.from_regex(r"[A-Za-z0-9_-]{19}[ibh][A-Za-z0-9_-]{1,44}", fullmatch=True))
def test_whatever_parses_has_an_id_or_a_hash(text: str) -> None:
    parsed = custom_id.parse(text)

    if parsed is not None:
        assert parsed.ticket_id or parsed.encoding == HASH


def test_no_two_intents_share_a_token() -> None:
    tokens = {custom_id.new_token() for _ in range(10_000)}

    assert len(tokens) == 10_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{8}", token) for token in tokens)


def test_a_digest_stays_the_same_from_one_release_to_the_next() -> None:
    # A batch may have been sent by the release before this one.
    assert attribute.digest([{"S": "Refund"}, None]) == "2dukUeXw"


TEXT = st.text(st.characters(codec="utf-8"))


@given(TEXT, TEXT)
def test_another_text_has_another_digest(one: str, other: str) -> None:
    digests = [attribute.digest([{"S": text}, None]) for text in (one, other)]

    assert (digests[0] == digests[1]) == (one == other)


def test_the_same_text_in_another_input_or_of_another_type_has_another_digest() -> None:
    inputs: list[list[Attribute | None]] = [
        [{"S": "1"}, None],
        [None, {"S": "1"}],
        [{"N": "1"}, None],
        [{"S": "1"}, {"NULL": True}],
        [{"S": "1"}, {"S": ""}],
    ]

    assert len({attribute.digest(each) for each in inputs}) == len(inputs)
