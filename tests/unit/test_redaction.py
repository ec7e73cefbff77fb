"""What is private gives way to a word, what only looks like it stays, and the time is linear."""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.task.iban_registry import ACCOUNTS
from nightshift.task.redaction import Kind, explained, redact, said

ALL: tuple[Kind, ...] = ("email", "card", "iban")
WHOLE = 10**9
LARGEST = 400_000  # characters: an item of DynamoDB holds no more
VISA, IBAN = "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"


def redacted(text: str, *kinds: Kind, characters: int = WHOLE) -> str:
    return redact(text, kinds or ALL, characters)[0]


def with_check_digit(digits: str) -> str:
    """A number with the digit behind it that Luhn asks for, found by trying."""
    return next(f"{digits}{last}" for last in "0123456789" if luhn_sum(f"{digits}{last}") == 0)


def luhn_sum(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10


def with_check_digits(country: str, account: str) -> str:
    letters = "".join(str(int(c, 36)) for c in f"{account}{country}00")
    return f"{country}{98 - int(letters) % 97:02}{account}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("john@example.com", "[email]"),
        ("Write to john.doe+shop@mail.example.co.uk.", "Write to [email]."),
        ("<john@example.com>, (a_b-c@x.io); o'neil@x.ie!", "<[email]>, ([email]); [email]!"),
        ("mailto:John@Example.COM?subject=x", "mailto:[email]?subject=x"),
        ("'john@example.com' _john@example.com_", "'[email]' [email]_"),
        ("...john@example.com...", "...[email]..."),
        ("- -john@example.com", "- -[email]"),
        ("a@b.co,c@d.co;e@f.co/g@h.co", "[email],[email];[email]/[email]"),
        ("x=1;u=john@163.com", "x=1;[email]"),
        ("jos\u00e9@m\u00fcller.de jose\u0301@mu\u0308ller.de", "[email] [email]"),
        ("\u0438\u0432\u0430\u043d@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "[email]"),
        ("ivan@xn--80a1acny.xn--p1ai, me@\u4f8b\u3048.\u30c6\u30b9\u30c8", "[email], [email]"),
        # Japanese goes on where the address begins and ends.
        ("\u5b9b\u5148\u306fjohn@example.com\u3067\u3059", "\u5b9b\u5148\u306f[email]\u3067\u3059"),
        ("john\uff20example.com", "[email]"),
        ("https://shop.example/u?e=john%40example.com&x=1", "https://shop.example/u?[email]&x=1"),
        ("john@example.com.2024 john@example.com-2 a@b.co1", "[email].2024 [email]-2 [email]1"),
        ('"one\\njohn@example.com","\\tann@x.de"', '"one\\n[email]","\\t[email]"'),
        ("DOMAIN\\john@example.com", "DOMAIN\\[email]"),
        (f"{'a' * 500}@{'b.' * 100}com", "[email]"),
    ],
)  # fmt: skip
def test_an_address_is_redacted_and_what_is_around_it_stays(text: str, left: str) -> None:
    assert redacted(text, "email") == left


@pytest.mark.parametrize(
    "text",
    [
        *("@mention", "foo@bar", "a@b.c", "@", "@@", "john@", "@example.com", "john @ example.com"),
        *("left-pad@1.2.3", "react@^18.2.0", "a@1.0.0-alpha.beta", "icon@2x.png", "x@3x.jpeg"),
        *("root@192.168.0.1", "5 @ 3.50 each", "john@-example.com", "john@example..com"),
        *("...@example.com", "\\n@example.com", "a@b.-c", "50%40", "%40example.com"),
    ],
)
def test_what_only_looks_like_an_address_stays(text: str) -> None:
    assert redacted(text, "email") == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # Numbers that the networks publish for tests.
        ("4111111111111111", "[card]"),
        ("4222222222222", "[card]"),
        ("378282246310005 371449635398431", "[card] [card]"),
        ("30569309025904 38520000023237", "[card] [card]"),
        ("3530111333300000", "[card]"),
        ("5555555555554444 2223003122003222", "[card] [card]"),
        ("6011111111111117 6200000000000005", "[card] [card]"),
        ("6304000000000000", "[card]"),
        # As people type them.
        (f"My card is {VISA}, valid 12/27.", "My card is [card], valid 12/27."),
        ("4111-1111-1111-1111", "[card]"),
        ("4111\u00a01111\u202f1111\u20091111", "[card]"),
        ("4111 - 1111 - 1111 - 1111", "[card]"),
        ("4111  1111  1111  1111", "[card]"),
        ("4111 1111\n1111-1111", "[card]"),
        ("41111111 11111111 or 6200 0000 0000 0000 000", "[card] or [card]"),
        ("620000 0000000000000", "[card]"),
        (f"{VISA} 123456789", "[card] 123456789"),
        (f"{VISA} 12345678901234", "[card] 12345678901234"),
        ("4111.1111.1111.1111.", "[card]."),
        ("4111\u200b1111\u20601111\u00ad1111", "[card]"),
        ("3782 822463 10005", "[card]"),
        ("\uff14\uff11\uff11\uff11" + "\uff11" * 12, "[card]"),
        ("\u0664\u0661\u0661\u0661" + "\u0661" * 12, "[card]"),
        ("No.4111111111111111", "No.[card]"),
        ("\u756a\u53f74111111111111111\u3067\u3059", "\u756a\u53f7[card]\u3067\u3059"),
        ("Visa4111111111111111", "Visa[card]"),
        (f"{VISA} 123", "[card] 123"),
        (f"order 12345 {VISA}", "order 12345 [card]"),
        (f"{VISA} {VISA}", "[card] [card]"),
        ("[4111111111111111,5555555555554444]", "[[card],[card]]"),
        ("a\\n4111111111111111\\n", "a\\n[card]\\n"),
        ("4111111111111111.50", "[card].50"),
    ],
)
def test_a_card_number_is_redacted_however_it_is_typed(text: str, left: str) -> None:
    assert redacted(text, "card") == left


@pytest.mark.parametrize(
    "text",
    [
        *("4111111111111112", "4111 1111 1111 1112", "4012 8888 8888 1882"),  # Luhn fails
        *("1234567812345670", "0000000000000000", "9111111111111111"),  # no network has them
        *("411111111111116", "42222222222222222"),  # Visa has no 15 and no 17 digits
        *("41111111111111110", "94111111111111111", "12345678901234567890"),
        "4111111111111111" * 2,
        *("+49 1512 3456789", "+4915123456789", "0049 1512 3456789", "+1 (415) 555-2671"),
        *("1763975415", "1763975415123", "1763975415123456", "20251124093015123"),
        *("2025-11-24 09:30:15", "2025-11-24T09:30:15.123456Z"),
        *("1Z999AA10123456784", "9400 1000 0000 0000 0000 00", "978-3-16-148410-0"),
        *("192.168.100.200", "36 38 40 42 44 46 48", "0.4532015112830366"),
        *("550e8400-e29b-41d4-a716-446655440000", "12 34 56 78 90 12 34 56"),
        *("41 11 11 11 11 11 11 11", "4111 11 1111 111111"),
        # Numbers of other things beside one another, all of which pass Luhn.
        *("44100 - 44100 129 - 448", "48000 - 48000 144 - 489", "ad07-463320240306 3/6/2024"),
        *("25499222-3089-4155-807d", "64133 1762187057860", "3671 1674601608603"),
        "ba27-e45910230129 29.01.2023",
    ],
)
def test_what_only_looks_like_a_card_number_stays(text: str) -> None:
    assert redacted(text, "card") == text


def test_of_all_numbers_that_a_row_of_groups_may_be_nothing_is_left() -> None:
    digits = VISA.replace(" ", "")
    longer = next(f"{n:03}" for n in range(1_000) if luhn_sum(f"{digits}{n:03}") == 0)

    assert redacted(f"{VISA} {longer}", "card") == "[card]"
    # Both the first four and the last four groups pass.
    assert redacted("4111 4111 1111 0000 0002", "card") == "[card][card]"


def test_a_telephone_number_is_known_by_its_plus_and_a_card_by_its_groups() -> None:
    mobile = with_check_digit("491512345678")
    in_threes = "411 111 111 111 111 1"

    assert redacted(f"+{mobile} {in_threes}", "card") == f"+{mobile} {in_threes}"
    assert redacted(f"{mobile} {VISA}", "card") == "[card] [card]", "both pass otherwise"


def test_what_fails_luhn_would_pass_with_another_last_digit() -> None:
    assert [luhn_sum(n) for n in ("4111111111111112", "4012888888881882")] != [0, 0]
    assert luhn_sum("453201511283036" + "6") == 0, "the decimals above pass"
    assert redacted("4532015112830366", "card") == "[card]"


@pytest.mark.parametrize(
    "prefix",
    ["34", "37", "36", "38", "300", "305", "309", "3528", "3589", "4", "51", "55", "2221", "2720",
     "5018", "6011", "62", "644", "65", "6759", "81", "508", "506", "2200", "2204", "9792"],
)  # fmt: skip
def test_every_network_is_known_and_the_check_digit_decides(prefix: str) -> None:
    length = 15 if prefix in ("34", "37") else 16
    number = with_check_digit(prefix.ljust(length - 1, "7"))
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)

    assert redacted(number, "card") == "[card]"
    assert redacted(wrong, "card") == wrong


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"IBAN: {IBAN}.", "IBAN: [iban]."),
        (IBAN.replace(" ", ""), "[iban]"),
        (f"{IBAN.lower()} bitte", "[iban] bitte"),
        ("De 89-3704-0044-0532-0130-00", "[iban]"),
        ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000 2 Mal", "[iban] 2 Mal"),
        ("GB82 WEST 1234 5698 7654 32 and gb82west12345698765432", "[iban] and [iban]"),
        ("FR14 2004 1010 0505 0001 3M02 606", "[iban]"),
        ("NO93 8601 1117 947 is mine", "[iban] is mine"),
        ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "[iban]"),
        ("IBANDE89370400440532013000", "IBAN[iban]"),
        ("\u53e3\u5ea7DE89370400440532013000\u3067\u3059", "\u53e3\u5ea7[iban]\u3067\u3059"),
        ("at 12 o'clock at NL91 ABNA 0417 1643 00", "at 12 o'clock at [iban]"),
        ('{"iban":"x\\nDE89370400440532013000"}', '{"iban":"x\\n[iban]"}'),
    ],
)
def test_an_iban_is_redacted_however_it_is_typed(text: str, left: str) -> None:
    assert redacted(text, "iban") == left


@pytest.mark.parametrize(
    "text",
    [
        *("DE88 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 33"),  # the remainder is not 1
        *("DE8937040044053201300", "DE893704004405320130000"),  # a digit less, a digit more
        *("ZZ89370400440532013000", "XDE89370400440532013000", "1DE89370400440532013000"),
        *("DE89 3704 0044 0532 0130 00x", "DE8X 3704 0044 0532 0130 00", "DE", "DE89"),
        *("no 12 days at home and it is all of me", "de 24 a 48 horas, es 12 euros"),
    ],
)
def test_what_only_looks_like_an_iban_stays(text: str) -> None:
    assert redacted(text, "iban") == text


@pytest.mark.parametrize("country", ACCOUNTS)
def test_an_iban_of_every_country_is_redacted_and_one_digit_off_is_not(country: str) -> None:
    parts = re.findall(r"(\d+)([nac])", ACCOUNTS[country])
    account = "".join({"n": "7", "a": "Q", "c": "k"}[kind] * int(count) for count, kind in parts)
    iban = with_check_digits(country, account)
    grouped = " ".join(iban[place : place + 4] for place in range(0, len(iban), 4))
    wrong = f"{iban[:3]}{(int(iban[3]) + 1) % 10}{iban[4:]}"

    assert [redacted(each, "iban") for each in (iban, grouped, wrong)] == [
        "[iban]",
        "[iban]",
        wrong,
    ]


def test_the_registry_has_every_country_and_no_length_that_cannot_be() -> None:
    lengths = [sum(map(int, re.findall(r"\d+", shape))) + 4 for shape in ACCOUNTS.values()]

    assert len(ACCOUNTS) == 89
    assert all(re.fullmatch(r"[A-Z]{2}", c) for c in ACCOUNTS)
    assert all(re.fullmatch(r"(\d+[nac])+", shape) for shape in ACCOUNTS.values())
    assert (min(lengths), max(lengths)) == (15, 33)


def test_only_what_is_asked_for_is_redacted_and_each_kind_is_counted() -> None:
    text = f"a@b.co, {VISA}, {IBAN}, c@d.co"

    assert redact(text, ("card",), WHOLE) == (text.replace(VISA, "[card]"), Counter(card=1))
    assert redact(text, ALL, WHOLE) == (
        "[email], [card], [iban], [email]", Counter(email=2, card=1, iban=1),
    )  # fmt: skip
    assert redact(text, (), WHOLE) == (text, Counter())


def test_of_two_that_overlap_nothing_is_left() -> None:
    assert redacted("4111111111111111@example.com") == "[email]"
    assert redacted("4111 1111 1111 1111.john@example.com") == "[card][email]"
    assert redacted("ann@example.com@example.org") == "[email][email]"
    assert redacted(with_check_digits("DE", "41111111111111110" + "0")) == "[iban]"


@pytest.mark.parametrize(
    ("characters", "left", "count"),
    [
        (9, "Hi ", 0),
        (10, "Hi [email] and ", 1),
        (21, "Hi [email] and ", 1),
        (22, "Hi [email] and [email]!", 2),
    ],
)
def test_what_will_be_cut_off_is_not_counted_and_no_word_is_cut(
    characters: int, left: str, count: int
) -> None:
    text = "Hi john@example.com and ann@example.com!"

    assert redact(text, ALL, characters) == (left, Counter({"email": count} if count else {}))


@given(st.text(alphabet="ab@.4 1-DE89\\n\u3042+\u00e9%0"), st.integers(1, 30))
def test_what_was_not_private_stays_as_it_was(text: str, characters: int) -> None:
    whole, counts = redact(text, ALL, WHOLE)
    start, fewer = redact(text, ALL, characters)

    assert whole.startswith(start[:characters])
    assert fewer <= counts
    assert counts or whole == text


@given(st.text(st.characters(exclude_characters="@")))
def test_no_text_around_it_hides_an_address(around: str) -> None:
    assert "@" not in redacted(f"{around} john@example.com {around}")


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work runs through."""
    lines, monitor = 0, sys.monitoring

    def count(*_: object) -> None:
        nonlocal lines
        lines += 1

    monitor.use_tool_id(tool := 4, "lines")
    try:
        monitor.register_callback(tool, monitor.events.LINE, count)
        monitor.set_events(tool, monitor.events.LINE)
        work()
    finally:
        monitor.set_events(tool, 0)
        monitor.free_tool_id(tool)
    return lines


HOSTILE = [
    *("@", "a@", "a@a.", "a@a@a.", "a@a.b ", "a@1.", "a@b-", "a@xn--", "%40", "a%40", "a.", "a-a."),
    *("\u3042@", "\u3042@a.", "a@\u3042.", "\u00e9@", "x=", "--", ". ", "\\n", "\\", "+"),
    *("1", "1 ", "12 34 ", "4", "4444 ", "4111.", "0.", "1.1111", "4111\u200b", "4111 1111 ", VISA),
    *(f"{VISA} ", "iban", "ibande12", "de12 ", "DE89 3704 ", "mt84malt", "br12", "lc5", IBAN, " "),
    *("DE89 3704 0044 0532 0130 01 ", "\u200b", "\u0301", "\n"),
]


@pytest.mark.parametrize("pattern", HOSTILE, ids=ascii)
def test_steps_and_time_stay_linear_in_the_largest_item(pattern: str) -> None:
    short = pattern * (10_000 // len(pattern))
    few = lines_run(lambda: redact(short, ALL, WHOLE))
    many = lines_run(lambda: redact(short * 2, ALL, WHOLE))
    began = time.process_time()
    redact(pattern * (LARGEST // len(pattern)), ALL, WHOLE)

    assert many <= 2.1 * few + 100
    assert time.process_time() - began < 8  # it takes a second at most, and more if quadratic


def test_what_claude_and_people_are_told() -> None:
    assert explained(["email"]) == (
        "Private data was replaced before a message was sent to you: [email] for an e-mail address."
    )
    assert explained(["iban", "card", "email"]).endswith(
        ": [email] for an e-mail address, [card] for the number of a payment card "
        "and [iban] for the IBAN of a bank account."
    )
    assert said(Counter(iban=1, email=1200, card=3)) == (
        "1,200 e-mail addresses, 3 card numbers, 1 IBAN"
    )
    assert said({"email": 1, "card": 0}) == "1 e-mail address"
    assert said({}) == ""
