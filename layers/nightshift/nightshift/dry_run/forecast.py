"""What requests will use before any is sent: from counted tokens, else from characters. Pure.

Output: an answer is the name of a category, four characters a token, and about four tokens around
it ("1" was billed as 5, seen 2026-09-02); a model that cannot help thinking uses all it may.

Cache: the first request writes the constant part, and so do those of the others that do not find
it there (`money.CACHE_HITS`).
"""

from dataclasses import dataclass

from nightshift.claude.money import CACHE_HITS, NOTHING, Price, Usage
from nightshift.task.request import RequestTemplate
from nightshift.task.task import Task

_CHARACTERS_PER_TOKEN = 4
_AROUND_AN_ANSWER = 4
_AROUND_A_REQUEST = 8


def plain_tokens(text: str) -> int:
    """About as many tokens as claude-haiku-4-5 reads: four ASCII characters each, or one other."""
    ascii_characters = len(text.encode("ascii", "ignore"))
    return ascii_characters // _CHARACTERS_PER_TOKEN + len(text) - ascii_characters


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many tokens: of the constant part of a request, of all messages, and of an answer."""

    requests: int
    fixed: int
    messages: int
    answer: float

    def usage(self, template: RequestTemplate) -> Usage:
        """What all requests will use; partly from the cache where that is asked."""
        output = round(self.requests * min(self.answer, template.max_tokens))
        constant = self.requests * self.fixed
        if not template.caches:
            return Usage(constant + self.messages, output)
        read = round((self.requests - 1) * self.fixed * CACHE_HITS)
        return Usage(self.messages, output, cache_write_1h=constant - read, cache_read=read)

    def long_usage(self, template: RequestTemplate, price: Price) -> Usage:
        """The part of it with long prompts: all or nothing, as the prompts are on average."""
        average = Usage(self.fixed + self.messages // max(1, self.requests))
        return self.usage(template) if price.is_long(average) else NOTHING

    def method(self, template: RequestTemplate) -> str:
        """What is assumed beyond the tokens of the input."""
        cache = f"; cache: {CACHE_HITS:.0%} hits assumed" if template.caches else ""
        return f"output: {min(self.answer, template.max_tokens):.1f} tokens an answer{cache}"


def fixed_tokens(task: Task, price: Price) -> int:
    """About as many tokens as the constant part of a request has."""
    return round(plain_tokens(task.system_prompt) * price.tokenizer) + _AROUND_A_REQUEST


def answer_tokens(task: Task, price: Price) -> float:
    """About as many tokens as an answer has; the template's limit still applies."""
    if price.thinks:
        return float(task.max_tokens)
    characters = task.contract.usual
    return characters / _CHARACTERS_PER_TOKEN * price.tokenizer + _AROUND_AN_ANSWER
