"""The price table: the models that Nightshift knows, and those that the task file adds."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from nightshift.claude.money import Price, alias
from nightshift.errors import PriceUnknown

MODELS_FILE = Path(__file__).with_name("models.toml")
# Keys of a row that are no prices.
_TRAITS = {"cacheable_from", "tokenizer", "thinks", "in_the_us"}


@dataclass(frozen=True)
class PriceTable:
    """Prices by the models' undated names."""

    rows: Mapping[str, Price]

    def of(self, model: str) -> Price:
        """The price of a model by its alias or its dated id.

        Raises:
            PriceUnknown: an unknown price is refused, never counted as free.
        """
        price = self.rows.get(alias(model))
        if price is None:
            known = ", ".join(sorted(self.rows))
            raise PriceUnknown(
                f"No price is known for model {model!r}. Set Model to one of: {known}; "
                "or add its price to the task file."
            )
        return price

    def including(self, more: Mapping[str, Price]) -> Self:
        """This table with prices added or overridden; unspecified traits keep the known model's."""
        rows = dict(self.rows)
        for model, price in more.items():
            known = rows.get(alias(model), price)
            kept = {name: getattr(known, name) for name in _TRAITS - price.model_fields_set}
            rows[alias(model)] = price.model_copy(update=kept)
        return type(self)(rows)


@cache
def published() -> PriceTable:
    """The prices that the provider had published when this version of Nightshift was released."""
    rows = tomllib.loads(MODELS_FILE.read_text(encoding="utf-8"))
    return PriceTable({model: Price.model_validate(row) for model, row in rows.items()})
