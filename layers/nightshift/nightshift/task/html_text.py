"""A helpdesk's HTML as the plain text that a person would read."""

import html

import regex

# Elements that a browser does not show. An element without its closing tag is shown: a customer
# may write "<script>" as a word.
_HIDDEN = {
    name: regex.compile(
        rf"<{name}\b[^<>]*+>.*?</{name}\b[^<>]*+>?", regex.DOTALL | regex.IGNORECASE
    )
    for name in ("script", "style", "title")
}
_COMMENT = regex.compile(r"<!--(?:-?>|.*?(?:-->|\Z))", regex.DOTALL)
_INLINE_TAG = regex.compile(
    r"</?(?:a|abbr|b|code|del|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|tt|u)\b[^<>]*+>",
    regex.IGNORECASE,
)
_TAG = regex.compile(r"<[/!?]?[a-z][^<>]*+>", regex.IGNORECASE)
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}]+")
# Unicode's fillers, joiners and selectors draw nothing, nor does the empty Braille cell.
_VISIBLE = regex.compile(r"[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]")
# Numeric entities with more digits than any code point has: html.unescape fails on thousands.
_NO_CHARACTER = regex.compile(r"&#(?:[0-9]{8,}+|x[0-9a-f]{8,}+);?", regex.IGNORECASE)
_CHARACTER = regex.compile(r"\X")


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing: only white space and invisible characters."""
    return _VISIBLE.search(text) is None


def plain(markup: str) -> str:
    """The visible text: tags, comments and scripts gone, entities decoded, white space folded."""
    text = markup
    if "<" in text:
        text = _without_tags(_COMMENT.sub(" ", text) if "<!--" in text else text)
    if "&" in text:
        text = html.unescape(_NO_CHARACTER.sub("\ufffd", text))
    folded = " ".join(text.split())
    # A printable text holds no control characters, and most texts are: that is known in no time.
    return folded if folded.isprintable() else " ".join(_CONTROL.sub(" ", folded).split())


def _without_tags(text: str) -> str:
    lower = text.lower()
    for name, element in _HIDDEN.items():
        if f"</{name}" in lower:
            text = _without(element, f"</{name}", text)
    return _TAG.sub(" ", _INLINE_TAG.sub("", text))


def _without(element: regex.Pattern[str], closing: str, text: str) -> str:
    """The text without this element. Only the part before the last closing tag is searched: there
    every opening tag has an end, so that the time stays linear in the length of the text."""
    last = text.lower().rfind(closing)
    if last < 0:
        return text
    end = text.find(">", last) + 1 or len(text)
    return element.sub(" ", text[:end]) + text[end:]


def cut(text: str, characters: int) -> str:
    """At most so many code points from the start, without cutting what a reader sees as one."""
    if len(text) <= characters:
        return text
    if text[characters - 1 : characters + 1].isascii():
        return text[:characters]
    end = 0
    for character in _CHARACTER.finditer(text):
        if character.end() > characters:
            break
        end = character.end()
    return text[:end]
