"""The review page in a real browser: by keys alone, by two people at once, at every width."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, expect

from nightshift.task.task import Task
from tests import chromium
from tests.doubts import change, item, items, put, served, sitting
from tests.tasks import changed, reviews
from tools.operate.review.sitting import Sitting

pytestmark = chromium.needed

# What stands out of the page or is cut, but for what scrolls by itself.
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  if (!box.width || e.closest("dialog:not([open])")) return false;
  const wide = e.clientWidth && e.scrollWidth > e.clientWidth + 1;
  const cut = wide && style.textOverflow != "ellipsis";
  const tall = e.tagName == "BUTTON" && e.scrollHeight > e.clientHeight + 1;
  return cut || tall || box.right > innerWidth + 0.5 || box.left < -0.5;
}).map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`)"""


@contextmanager
def opened(browser: Browser, ours: Sitting, **context: Any) -> Iterator[Page]:
    """The page of a sitting in a browser of its own, which must not complain about anything."""
    complaints: list[str] = []
    with served(ours) as address, browser.new_context(**context) as person:
        person.set_default_timeout(10_000)
        page = person.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        yield page
    assert complaints == []


def press(page: Page, *keys: str) -> None:
    """Keys, each once the page listens, as it does from soon after it is shown."""
    for key in keys:
        page.wait_for_selector("html[data-ready]")
        page.keyboard.press(key)


def strike(page: Page, *keys: str) -> None:
    """The same with keys that lead to another page."""
    for key in keys:
        page.wait_for_selector("html[data-ready]")
        with page.expect_navigation():
            page.keyboard.press(key)


def test_a_sitting_by_keys_alone(browser: Browser) -> None:
    put("T-1", "T-2", "T-3", "T-4")
    with opened(browser, sitting()) as page:
        expect(page.get_by_role("heading")).to_have_text("Category?")
        expect(page.get_by_text("Body of T-1.")).to_be_visible()

        press(page, "?")
        expect(page.get_by_role("dialog")).to_be_visible()
        press(page, "2", "Enter")  # no choice while the help is read
        expect(page.get_by_role("dialog")).to_be_hidden()
        strike(page, "1", "s", "3", "u", "5", "2")
        # T-1 billing, T-2 skipped, T-3 account and undone, T-3 other, T-4 technical
        expect(page.get_by_text("Only the skipped ones are left.")).to_be_visible()
        strike(page, "s")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="billing")).to_be_focused()
        strike(page, "Enter")
        expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
        expect(page.get_by_text("4 done")).to_be_visible()

    decided = {i: (t["category"], t["expected_category"]) for i, t in items().items()}
    assert decided == {
        "T-1": ("billing", "billing"),
        "T-2": ("billing", "billing"),
        "T-3": ("other", "other"),
        "T-4": ("technical", "technical"),
    }


def test_a_key_that_is_struck_twice_decides_one_ticket(browser: Browser) -> None:
    put("T-1", "T-2")
    with opened(browser, sitting()) as page:
        page.wait_for_selector("html[data-ready]")
        with page.expect_navigation():
            page.evaluate(
                "for (const _ of [1, 2]) dispatchEvent(new KeyboardEvent('keydown', {key: '1'}))"
            )
        page.keyboard.press("1")  # before anybody can have read the next one
        expect(page.get_by_text("Body of T-2.")).to_be_visible()

    assert "category" not in item("T-2")


def test_two_people_do_no_harm_and_are_told(browser: Browser) -> None:
    put("T-1", "T-2", "T-3")
    with ExitStack() as stack:
        one, other = (stack.enter_context(opened(browser, sitting())) for _ in range(2))

        strike(one, "1")
        strike(other, "2")
        expect(other.get_by_role("status")).to_contain_text("T-1 was decided or edited by somebody")
        expect(other.get_by_text("Body of T-2.")).to_be_visible()
        change("T-2", body="The helpdesk was here.")
        strike(other, "2")
        expect(other.get_by_role("status")).to_contain_text("T-2 was edited and comes again later")
        strike(other, "3")
        expect(other.get_by_text("The helpdesk was here.")).to_be_visible()
        strike(other, "4")
        strike(one, "5")
        expect(one.get_by_role("status")).to_contain_text("T-2 was decided or edited by somebody")
        expect(one.get_by_text("Nothing waits for you.")).to_be_visible()

    assert [each["category"] for each in items().values()] == ["billing", "feedback", "account"]
    assert item("T-2")["body"] == "The helpdesk was here."


def test_a_choice_among_many_is_found_by_its_words(browser: Browser) -> None:
    put("T-1", "T-2")
    with opened(browser, sitting(many())) as page:
        press(page, "/", "Enter")  # nothing is looked for: nothing is chosen
        page.keyboard.type("late par")
        expect(page.get_by_role("button", name="parcel_is_late")).to_be_visible()
        expect(page.get_by_role("button", name="kind_7", exact=True)).to_be_hidden()
        strike(page, "Enter")
        press(page, "/")
        page.keyboard.type("nonsense")
        expect(page.get_by_text("No choice has these words.")).to_be_visible()
        press(page, "Escape")
        strike(page, "a")

    assert (item("T-1")["category"], item("T-2")["category"]) == ("parcel_is_late", "kind_9")


def test_a_stranger_and_a_stolen_address_see_nothing(browser: Browser) -> None:
    put("T-1")
    with (
        served(sitting()) as address,
        browser.new_context() as owner,
        browser.new_context() as thief,
    ):
        refused = thief.new_page()
        for at in (urljoin(address, "/"), urljoin(address, "look/look.css")):
            assert refused.goto(at).status == 403  # type: ignore[union-attr]
        page = owner.new_page()
        page.goto(address)
        expect(page.get_by_text("Body of T-1.")).to_be_visible()
        assert refused.goto(address).status == 403  # type: ignore[union-attr]
        assert "T-1" not in refused.content()
        page.goto(address)  # whoever is in stays in
        expect(page.get_by_text("Body of T-1.")).to_be_visible()
        assert page.evaluate("document.cookie") == ""


def many() -> Task:
    long = "a_kind_of_question_with_a_long_name"
    values = [*(f"kind_{n}" for n in range(77)), "technical", "parcel_is_late", long]
    output = {"category": {"type": "label", "values": values, "unsure": "unsure"}}
    return changed(output=output, max_tokens=99)


HOSTILE = {
    "subject": "W" * 900 + "<script>document.title = 'bad'</script>",
    "body": "&lt;img src=x onerror=alert(1)&gt; \u202ederorrim " + "x" * 3000,
}


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1280, 800, "light"), (1280, 800, "dark"), (390, 844, "dark")]
)
def test_every_page_fits(browser: Browser, width: int, height: int, scheme: str) -> None:
    put("T-1", category="technical")
    put("T-2" + "W" * 800, **HOSTILE)
    context = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for task in (None, many(), reviews()):
        with opened(browser, sitting(task), **context) as page:
            check_fit(page, scheme)
            press(page, "?")
            check_fit(page, scheme)
            press(page, "Enter")
            strike(page, "s")
            check_fit(page, scheme)
            strike(page, "s")
            expect(page.get_by_text("Only the skipped ones")).to_be_visible()
            check_fit(page, scheme)


def check_fit(page: Page, scheme: str) -> None:
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(channel) for channel in ground[4:-1].split(",")]
    assert (sum(channels) / 3 < 64) == (scheme == "dark")
