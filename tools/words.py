"""How people read counts, amounts, shares, names and spans of time, on a page and in a terminal."""

from datetime import timedelta


def count(value: int, one: str, many: str = "") -> str:
    """`1 ticket`, `2 tickets`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def usd(amount: float) -> str:
    """To the cent from a dollar on; below one, four digits."""
    return f"${amount:,.{2 if amount == 0 or amount >= 1 else 4}f}"


def share(part: float) -> str:
    """A share between 0 and 1 as a percentage, never rounded to nothing or to all."""
    if 0 < part < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= part < 1 else f"{100 * part:.0f} %"


def spoken(name: str) -> str:
    """The name of an attribute as a headline: `Document type`."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def duration(span: timedelta) -> str:
    """In its two largest units."""
    seconds = round(span.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days >= 2:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
