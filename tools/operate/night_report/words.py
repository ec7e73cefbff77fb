"""How numbers, times and amounts are written on the page. All times are UTC."""

from datetime import date, datetime, timedelta


def number(value: int) -> str:
    return f"{value:,}"


def compact(value: int) -> str:
    """In at most four characters: `950`, `9.5k`, `49k`, `490k`, `1.2M`."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.1f}{letter}" if scaled < 9.95 else f"{scaled:.0f}{letter}"
    return str(value)


def count(value: int, one: str, many: str = "") -> str:
    """`1 ticket`, `2 tickets`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def usd(amount: float) -> str:
    """To the cent, and small amounts to two digits that say something."""
    if amount == 0 or amount >= 0.995:
        return f"${amount:,.2f}"
    return f"${amount:.2f}" if amount >= 0.1 else f"${amount:.4f}"


def dollars(amount: float) -> str:
    """What people chose, such as a budget: as they wrote it, and at least to the cent."""
    cents = f"{amount:,.2f}"
    return f"${cents}" if float(cents.replace(",", "")) == amount else f"${amount:,}"


def adding_up(cost: float, realtime: float) -> tuple[str, str, str]:
    """What was spent, what was saved, and their sum, each rounded so that they add up as shown."""
    digits = 4 if 0 < cost < 0.1 else 2
    spent, whole = round(cost, digits), round(realtime, digits)
    spent_, saved_, whole_ = (f"${amount:,.{digits}f}" for amount in (spent, whole - spent, whole))
    return spent_, saved_, whole_


def share(part: float) -> str:
    """A share between 0 and 1 as a percentage, never rounded to nothing or to all."""
    if 0 < part < 0.005:
        return "<1 %"
    if 0.995 <= part < 1:
        return ">99 %"
    return f"{part:.0%}".replace("%", " %")


def duration(span: timedelta) -> str:
    """In its two largest units."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 2:
        rest = minutes % 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    rest = hours % 24
    return f"{days} d {rest} h" if rest else f"{days} d"


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def clock_on(moment: datetime, day: date) -> str:
    """The time, with its day where that is another one."""
    return clock(moment) if moment.date() == day else f"{moment:%a} {clock(moment)}"


def day_of(run_id: str) -> str:
    """A run by its date, if its id is one: `Sunday, 22 November 2026`."""
    try:
        day = date.fromisoformat(run_id)
    except ValueError:
        return run_id
    return f"{day:%A}, {day.day} {day:%B %Y}"
