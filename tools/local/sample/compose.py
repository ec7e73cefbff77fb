"""One ticket out of one language's phrases: wording, tone, signature, quoted mail, HTML or not."""

import html
import random
import re
from typing import Any

type Json = dict[str, Any]

STYLES = {"terse": 22, "plain": 40, "long": 19, "thread": 19}


def compose(rng: random.Random, language: Json, category: str) -> dict[str, str]:
    topic, fill = rng.choice(language["topics"][category]), _fill(rng, language)
    style = "bare" if topic.get("bare") else weighted(rng, STYLES)
    if style == "thread" and category in ("feedback", "other"):
        style = "long"
    message, quote = _message(rng, language, category, topic, style)
    message, quote = message.format(**fill), [part.format(**fill) for part in quote]
    subject = ("Re: " if quote else "") + rng.choice(topic["subject"]).format(**fill)
    if style != "bare":
        message = _typed(rng, message, style)
        message += " " + rng.choice(language["emoji"][category]) if rng.random() < 0.08 else ""
    if style == "terse":
        return {"subject": subject, "body": message}
    signature = "{name}" if style == "plain" else rng.choice(language["signatures"])
    closing = rng.choice(language["closings"]) + "\n" + digits(rng, signature.format(**fill))
    greeting = [] if style == "bare" else [rng.choice(language["greetings"])]
    render = _as_html if rng.random() < 0.45 else _as_text
    return {"subject": subject, "body": render([*greeting, *message.split("\n\n"), closing], quote)}


def _message(
    rng: random.Random, language: Json, category: str, topic: Json, style: str
) -> tuple[str, list[str]]:
    """What is written now; and quoted below it: who wrote when, the answer, the first message."""
    joined = language["joiner"].join
    opening, (ask, asked) = rng.choice(topic["open"]), rng.sample(topic["ask"], 2)
    more = rng.sample(topic["more"], min(3, len(topic["more"])))
    if style == "terse":
        return joined([opening, *rng.sample([more[0], ask], rng.randint(0, 1))]), []
    if style == "thread":
        first = joined([opening, more.pop(), asked]) + "\n{name}"
        quote = [language["quote"], rng.choice(language["replies"]), first]
        return joined([rng.choice(language["impatience"]), *more, ask]), quote
    if style in ("plain", "bare"):
        return joined([opening, *more[: rng.randint(1, 2)], ask]), []
    if category != "technical":
        return joined([opening, *more, ask]), []
    message = joined([opening, *more, rng.choice(language["context"]), ask])
    second = rng.choice([other for other in language["topics"][category] if other != topic])
    aside = [language["also"], second["open"], second["more"], second["ask"]]
    return message + "\n\n" + joined(map(rng.choice, aside)), []


def _typed(rng: random.Random, text: str, style: str) -> str:
    """The text as hurried people type it: now and then without a capital, or with a slip."""
    if style == "terse" and rng.random() < 0.4 and not text[1].isupper():
        text = text[0].lower() + text[1:].rstrip(".。")
    words = list(re.finditer(r"(?<![\w@.-])[a-z]{5,}(?![\w@.-])", text))
    if not words or rng.random() > 0.12:
        return text
    start, end = rng.choice(words).span()
    at = rng.randrange(start + 1, end - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _as_text(paragraphs: list[str], quote: list[str]) -> str:
    lines = quote[:1]
    for depth, part in enumerate(quote[1:], start=1):
        lines += ["> " * depth + line for line in part.splitlines()]
    return "\n\n".join(paragraphs) + ("\n\n" + "\n".join(lines) if quote else "")


def _as_html(paragraphs: list[str], quote: list[str]) -> str:
    paragraphs, quote = (
        [f"<p>{html.escape(part).replace('\n', '<br>')}</p>" for part in parts]
        for parts in (paragraphs, quote)
    )
    quoted = "<blockquote>".join(quote) + "</blockquote>" * (len(quote) - 1)
    return "".join(paragraphs) + quoted


def _fill(rng: random.Random, language: Json) -> dict[str, str]:
    fill = {slot: digits(rng, rng.choice(values)) for slot, values in language["fill"].items()}
    login, name = rng.choice(list(language["people"].items()))
    company, client = rng.sample(language["companies"], 2)
    email = f"{login}@example.{rng.choice(('com', 'org'))}"
    person = {"name": name, "first": name.split()[0], "email": email, "company": company}
    return fill | person | {"client": client, "role": rng.choice(language["roles"])}


def digits(rng: random.Random, text: str) -> str:
    return re.sub("#", lambda _: str(rng.randrange(10)), text)


def weighted(rng: random.Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
