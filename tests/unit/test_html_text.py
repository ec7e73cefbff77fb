"""Helpdesk HTML becomes the text that a person would read, whatever a customer sends."""

import time
import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from nightshift.task.html_text import cut, is_blank, plain

MAN, JOINER, WOMAN, SKIN = "\U0001f468", "\u200d", "\U0001f469", "\U0001f3fd"
FLAG = "\U0001f1e9\U0001f1ea"
# Letters with marks, a family, a flag, Hangul in jamo, Devanagari and Thai clusters, plain ASCII.
CLUSTERS = (
    "e\u0301",
    "a\u0308\u0323",
    MAN + SKIN + JOINER + WOMAN + JOINER + "\U0001f467",
    FLAG,
    "\u1112\u1161\u11ab",
    "\u0915\u094d\u0937\u093f",
    "\u0e01\u0e33",
    "\u2764\ufe0f",
    "x",
    " ",
    ".",
)
FRAGMENTS = (
    *("<", ">", "</", "/>", "<!--", "-->", "<!", "&", "&#", "&#x", ";", '"', "=", "\n", "\0"),
    *("<b>", "</b>", "<p ", "script", "<script>", "</script>", "style", "ticket", "lt;", "amp;"),
    *("9", "f", "a", "é", "\u0301", JOINER, "\u2028"),
)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hello</p><p>there</p>", "Hello there"),
        ("one<br>two<br/>three<BR />four", "one two three four"),
        ("<td>a</td><td>b</td>", "a b"),
        ("<ul><li>one<li>two</ul>", "one two"),
        ("<div class=\"a\" data-x='1'>in</div>", "in"),
        ("<!DOCTYPE html><html><body>in</body></html>", "in"),
        ("<?xml version='1.0'?>in", "in"),
        ("<o:p>in</o:p>", "in"),
        ("<p\n>a</p\n>b", "a b"),
    ],
)
def test_a_block_tag_parts_words(markup: str, text: str) -> None:
    assert plain(markup) == text


@pytest.mark.parametrize(
    "markup",
    [
        "refund",
        "re<b>fund</b>",
        "<span style='color:red'>ref</span>und",
        "r<EM>ef</EM>und",
        '<a href="https://example.com">refund</a>',
        "<font size=2>re</font><font size=3>fund</font>",
    ],
)
def test_an_inline_tag_parts_no_word(markup: str) -> None:
    assert plain(markup) == "refund"


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- hidden -->",
        "<!-- a > b, <p>hidden</p> -->",
        "<script>hidden</script>",
        "<SCRIPT type='a'>if (a < b) hidden()</SCRIPT >",
        "<style>p > a { hidden }</style>",
        "<head><title>hidden</title></head>",
        "<title>hidden</title>",
    ],
)
def test_what_a_browser_hides_is_not_read(hidden: str) -> None:
    assert plain(f"<p>Hello</p>{hidden}<p>there</p>") == "Hello there"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Q&amp;A", "Q&A"),
        ("5 &lt; 6", "5 < 6"),
        ("&#69;&#x46;", "EF"),
        ("caf&eacute;", "café"),
        ("a&nbsp;b", "a b"),
        ("&amp;lt;", "&lt;"),
        ("&unknown; & co", "&unknown; & co"),
        ("AT&T", "AT&T"),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_an_entity_is_decoded_once(markup: str, text: str) -> None:
    assert plain(markup) == text


@pytest.mark.parametrize(
    "text",
    ["I <3 it", "a < b", "a < b and c > d", "1<2 and 3>2", "-> see <- here", "<", "<>", "x <", "&"],
)
def test_a_lone_sign_is_no_tag(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("start", ["<p class='", "<b", "</", "<a href=https://example.com"])
def test_an_unclosed_tag_hides_nothing_before_it(start: str) -> None:
    assert plain(f"My invoice {start}").startswith("My invoice")


def test_an_unclosed_comment_hides_what_a_browser_hides() -> None:
    assert plain("My invoice <!-- draft") == "My invoice"


def test_a_head_without_an_end_tag_hides_no_body() -> None:
    # </head> may be left out: html.spec.whatwg.org, optional tags.
    assert plain("<html><head><meta charset=utf-8><body>My invoice") == "My invoice"


def test_white_space_and_control_characters_are_folded() -> None:
    spaced = "\r\n\t a \u00a0\u2003 b\x00c\u2028d\u0085e\x1b[0m "

    assert plain(spaced) == "a b c d e [0m"


@pytest.mark.parametrize(
    "unseen",
    [
        "",
        " \t\r\n",
        "\u00a0\u2003\u3000",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\u00ad",
        "\u202e\u200f",
        "\u3164\u115f\u1160\uffa0",
        "\ufe0f\u034f",
        "\u2800",
    ],
    ids=ascii,
)
def test_a_text_of_invisible_characters_is_blank(unseen: str) -> None:
    assert is_blank(unseen)


@pytest.mark.parametrize("seen", [".", "0", "é", "\u4f60", MAN, FLAG, "\u200b?", "<3"], ids=ascii)
def test_a_text_with_one_visible_character_is_not_blank(seen: str) -> None:
    assert not is_blank(seen)


@pytest.mark.parametrize("markup", ["<p><br></p>", "<div>&nbsp;</div>", "<!-- x -->", "&#8203;"])
def test_markup_alone_is_blank(markup: str) -> None:
    assert is_blank(plain(markup))


@given(st.lists(st.sampled_from(CLUSTERS), max_size=40).map("".join), st.integers(1, 60))
@example("a" * 499 + "e\u0301", 500)
@example("e" + "\u0301" * 600, 500)
def test_what_is_cut_off_begins_with_a_whole_character(text: str, characters: int) -> None:
    kept = cut(text, characters)

    rest = text[len(kept) :]
    assert kept + rest == text
    assert len(kept) <= characters
    assert regex.findall(r"\X", kept) + regex.findall(r"\X", rest) == regex.findall(r"\X", text)
    assert not rest or len(kept) + len(regex.match(r"\X", rest)[0]) > characters


@pytest.mark.parametrize("cluster", CLUSTERS[:8], ids=ascii)
def test_no_cluster_is_cut_in_two(cluster: str) -> None:
    text = "a" * (100 - len(cluster) + 1) + cluster

    assert cut(text, 100) == text.removesuffix(cluster)


def test_a_cut_counts_characters_not_bytes() -> None:
    assert cut("é" * 600, 500) == "é" * 500
    assert cut("a" * 600, 500) == "a" * 500
    assert cut("a" * 500, 500) == "a" * 500


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_whatever_comes_out_is_folded_and_printable(markup: str) -> None:
    text = plain(markup)

    assert text == " ".join(text.split())
    assert not {unicodedata.category(each) for each in text} & {"Cc", "Cs"}


@pytest.mark.parametrize("digits", ["9" * 5_000, "9" * 400_000, "x" + "f" * 400_000])
def test_a_reference_to_no_character_harms_nothing(digits: str) -> None:
    assert plain(f"My invoice &#{digits}; is wrong").startswith("My invoice")


@pytest.mark.parametrize(
    ("before", "pattern"),
    [
        *(("", each) for each in ("<", "<a", "<b ", "</", "<!", "<!--", "<script", "<script>")),
        *(("", each) for each in ("<style>x</style", "<p a=", "&", "&#", "&#x", "&a", "&lt;")),
        *(("", each) for each in ("<p>", "<b>", " ", "\0", "\u0301", "\u200b", FLAG)),
        *(("<!--", each) for each in ("--", "<!--", "->")),
        *(("<script>", each) for each in ("</script", "</script ", "<script>")),
        *(("<p ", each) for each in (" ", "x", "<")),
    ],
    ids=ascii,
)
def test_time_stays_linear_in_the_largest_item(before: str, pattern: str) -> None:
    hostile = before + pattern * (400_000 // len(pattern))
    began = time.process_time()

    text = plain(hostile)
    cut(text, 500)
    is_blank(text)

    assert time.process_time() - began < 5  # it takes some hundredths, and minutes if quadratic
