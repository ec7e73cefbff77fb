"""A night's worth of support tickets for Tidemark, an invoicing app that does not exist.

What is said is data: `phrases/` has one file a language, `common.json` what all of them share,
`oddities.json` tickets and ids that no composing would find. The sentences of a ticket come from
one topic, where any opening goes with any detail and any question.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.local.sample.compose import Json, compose, digits, weighted

COUNT = 3_000
DAY = datetime(2026, 11, 20, tzinfo=UTC)
SEED = 20261120
CATEGORIES = {"billing": 24, "technical": 34, "account": 20, "feedback": 12, "other": 10}
LONGEST_ID = "T" + "長" * 341  # 1,024 bytes in UTF-8: all that an index's sort key can hold
LOG_CHARACTERS = 60_000


def tickets() -> Iterator[dict[str, str]]:
    """3,000 tickets as a helpdesk holds them: ticket_id, created_at, and mostly subject and body.

    The same on every call; `created_at` is ISO 8601 in UTC, ascending over 20 November 2026.
    """
    return (ticket for ticket, _ in labelled())


def labelled() -> Iterator[tuple[dict[str, str], str | None]]:
    """The tickets with the category they were written for; None for those without any text."""
    rng = random.Random(SEED)
    oddities, languages = _read("oddities.json"), _languages()
    log = _log(rng, oddities["log_lines"])
    texts = [
        ({key: text[key].replace("{log}", log) for key in text}, category)
        for category, text in oddities["tickets"]
    ]
    texts += [(text, None) for text in oddities["no_text"]]
    while len(texts) < COUNT:
        language = rng.choices(languages, [language["share"] for language in languages])[0]
        category = weighted(rng, CATEGORIES)
        texts.append((compose(rng, language, category), category))
    rng.shuffle(texts)
    ids = _ticket_ids(rng, [*oddities["ticket_ids"], LONGEST_ID])
    seconds = sorted(rng.sample(range(24 * 60 * 60), COUNT))
    for ticket_id, (text, category), second in zip(ids, texts, seconds, strict=True):
        created_at = (DAY + timedelta(seconds=second)).isoformat()
        yield {"ticket_id": ticket_id, **text, "created_at": created_at}, category


def _ticket_ids(rng: random.Random, odd: list[str]) -> list[str]:
    ids = [f"TM-{number}" for number in sorted(rng.sample(range(104_233, 112_000), COUNT))]
    for place, ticket_id in zip(rng.sample(range(COUNT), len(odd)), odd, strict=True):
        ids[place] = ticket_id
    return ids


def _log(rng: random.Random, lines: list[str]) -> str:
    log, at = "", DAY - timedelta(hours=9)
    while len(log) < LOG_CHARACTERS:
        at += timedelta(milliseconds=rng.randint(3, 900))
        log += f"{at:%H:%M:%S.%f} {digits(rng, rng.choice(lines))}\n"
    return log


def _languages() -> list[Json]:
    common, here = _read("common.json"), Path(__file__).parent
    languages = [_read(path) for path in sorted(here.glob("phrases/*.json"))]
    return [
        common | language | {"fill": common["fill"] | language["fill"]} for language in languages
    ]


def _read(name: str | Path) -> Json:
    return dict(json.loads((Path(__file__).parent / name).read_text(encoding="utf-8")))
