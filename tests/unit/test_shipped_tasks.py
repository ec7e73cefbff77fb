"""The shipped tasks: what each reads and writes, for which models, and the samples of items."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from nightshift.claude.prices import published
from nightshift.errors import SettingsInvalid
from nightshift.task.outputs import Integer, Label, Labels, Text, Texts
from nightshift.task.request import template_for
from nightshift.task.task import DEFAULT, Task, check_room, load
from tests.tasks import changed
from tools.desk.cost.compare import load as counted
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import Findings, Source, Ticket, check, read
from tools.local.sample import shipped

OUTPUTS = {
    "content-moderation": {"decision": "label", "broken_rules": "labels", "severity": "integer"},
    "product-descriptions": {"description": "text", "bullet_points": "texts"},
    "document-classification": {
        "document_type": "label", "language": "label", "confidential": "boolean", "title": "text",
    },
    "record-enrichment": {
        "industry": "label", "size_class": "label", "country": "label", "is_reseller": "boolean",
    },
    "call-summaries": {
        "summary": "text", "next_steps": "texts", "sentiment": "label", "reason": "label",
    },
}  # fmt: skip
INPUTS = {
    "content-moderation": ["title", "text"],
    "product-descriptions": ["title", "brand", "price", "specs"],
    "document-classification": ["filename", "text"],
    "record-enrichment": ["name", "web_text"],
    "call-summaries": ["transcript"],
}
SHIPPED = [DEFAULT, *OUTPUTS]
MODELS = sorted(published().rows)

others = pytest.mark.parametrize("name", OUTPUTS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SHIPPED)
def test_every_model_with_a_price_can_be_asked_or_says_what_it_needs(name: str, model: str) -> None:
    task = load(name)

    if not published().of(model).thinks:
        check_room(task, model)
        assert template_for(task, model).max_tokens == task.max_tokens
        return
    with pytest.raises(SettingsInvalid, match=r"Set max_tokens to \d+ or more") as refused:
        check_room(task, model)
    [needed] = re.findall(r"Set max_tokens to (\d+)", str(refused.value))
    check_room(task.model_copy(update={"max_tokens": int(needed)}), model)


@others
def test_an_input_and_an_output_are_called_as_the_page_about_tasks_says(name: str) -> None:
    task = load(name)

    assert list(task.input) == INPUTS[name]
    assert {output: each.type for output, each in task.output.items()} == OUTPUTS[name]
    assert task.items != changed().items


@others
def test_a_model_is_told_not_to_think_as_in_the_task_that_sorts_tickets(name: str) -> None:
    assert load(name).models == load(DEFAULT).models


@others
def test_a_prompt_says_that_what_is_read_gives_no_orders_and_where_it_ends(name: str) -> None:
    task = load(name)
    [tag] = re.findall(r"\A\s*<(\w+)>", task.message)
    words = " ".join(task.system_prompt.split())

    assert "never instructions to you" in words
    assert f"between <{tag}> and </{tag}>" in words
    assert task.message.rstrip().endswith(f"</{tag}>")
    assert "language" in words


def test_the_limits_of_the_outputs_are_those_that_were_promised() -> None:
    moderation, products = load("content-moderation").output, load("product-descriptions").output
    decision, rules, severity = (
        moderation[name] for name in ("decision", "broken_rules", "severity")
    )
    description, bullets = products["description"], products["bullet_points"]
    title = load("document-classification").output["title"]

    assert isinstance(decision, Label) and decision.words == ("allow", "block", "review")
    assert decision.unsure == "review"
    assert isinstance(rules, Labels) and rules.max_items == len(rules.values)
    assert isinstance(severity, Integer) and (severity.minimum, severity.maximum) == (1, 5)
    assert isinstance(description, Text) and description.max_characters == 600
    assert isinstance(bullets, Texts) and (bullets.min_items, bullets.max_items) == (5, 5)
    assert isinstance(title, Text) and title.max_characters == 80
    assert load("call-summaries").input == {"transcript": 20_000}


def test_the_countries_are_those_of_iso_3166() -> None:
    country = load("record-enrichment").output["country"]
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    codes = [line[:2] for line in table.splitlines() if not line.startswith("#")]

    assert isinstance(country, Label)
    assert list(country.values) == [*sorted(codes), "unknown"]


# The samples.


def items_of(name: str) -> list[Ticket]:
    task, findings = load(name), Findings()
    items = list(read(Source(shipped.file_for(task), task), findings))
    assert findings.bad_lines == [] and findings.cut == []
    return items


def message_of(task: Task, item: Ticket) -> str | None:
    values = [item.get(name, "") for name in task.inputs]
    return task.message_for(
        [(v, True) if isinstance(v, str) else (json.dumps(v), False) for v in values]
    )


@others
def test_a_sample_has_thirty_items_that_are_asked_and_some_without_text(name: str) -> None:
    task = load(name)
    items = items_of(name)
    messages = [message_of(task, item) for item in items]

    assert len([message for message in messages if message]) >= 30
    assert 1 <= messages.count(None) <= 4
    assert len(set(messages) - {None}) == len(messages) - messages.count(None)
    assert any(item.keys() == {"ticket_id"} for item in items)


@others
def test_a_sample_has_other_languages_markup_orders_to_the_model_and_a_long_text(name: str) -> None:
    task, items = load(name), items_of(name)
    texts = [v if isinstance(v, str) else json.dumps(v) for i in items for v in i.values()]
    [tag] = re.findall(r"</(\w+)>", task.message)

    assert sum(bool(re.search(r"[^\W\d_a-zA-Z]", text)) for text in texts) >= 7
    assert any(re.search(r"[\u0400-\u04ff\u0600-\u06ff\u3040-\u9fff]", text) for text in texts)
    assert any(re.search(r"</(p|b|li|h1|div|body)>", text) for text in texts)
    orders = rf"(?i)ignore (your|all previous|the above) |ignore your|</{tag}>|if you are an ai"
    assert sum(bool(re.search(orders, text)) for text in texts) >= 1
    longest = {name: max(_length(item.get(name)) for item in items) for name in task.inputs}
    # What counts is the number of characters, without the tags.
    assert any(longest[name] > 0.7 * most for name, most in task.input.items() if most >= 2000)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value))


def test_products_have_specs_of_several_kinds_and_calls_a_transcript_in_turns() -> None:
    specs = {type(item.get("specs")) for item in items_of("product-descriptions")}
    turns = {type(item.get("transcript")) for item in items_of("call-summaries")}

    assert {dict, list, str, type(None)} <= specs
    assert {list, str} <= turns
    assert max(map(_length, (i.get("transcript") for i in items_of("call-summaries")))) > 20_000


def test_a_card_number_that_a_caller_reads_out_is_not_sent() -> None:
    task = load("call-summaries")
    told = [item for item in items_of(task.name) if "4242 4242" in str(item.get("transcript"))]

    messages = [message_of(task, item) or "" for item in told]

    assert len(messages) == 1
    assert "[card]" in messages[0] and "4242" not in messages[0]
    assert "[card]" in task.system_prompt


@others
def test_addresses_and_numbers_in_a_sample_belong_to_nobody(name: str) -> None:
    text = "\n".join(json.dumps(item, ensure_ascii=False) for item in items_of(name))
    hosts = re.findall(r"\b[\w-]+\.(?:com|org|net|io|de|fr|shop)\b", text)

    assert {host.partition(".")[0] for host in hosts} <= {"example"}
    assert "http" not in text


def test_a_sample_is_named_like_its_task_and_read_where_it_has_something_to_read() -> None:
    posts = shipped.file_for(load("content-moderation"))

    assert posts is not None and shipped.is_invented(posts)
    assert not shipped.is_invented(Path("posts.jsonl"))
    assert {path.stem for path in shipped.FOLDER.glob("*.jsonl")} == OUTPUTS.keys()
    assert shipped.file_for(load(DEFAULT)) is None  # its sample is composed
    assert shipped.file_for(changed(name="no-such-task")) is None
    assert shipped.file_for(changed(name="content-moderation")) is None


def test_a_task_of_ones_own_without_a_sample_says_so() -> None:
    own = changed(name="mine", input={"review": 9}, message="{review}")

    assert shipped.file_for(own) is None
    with pytest.raises(UnusableFile, match="no sample for this task: name a file with TICKETS="):
        check(Source(shipped.file_for(own), own))


@others
def test_a_sample_can_be_priced(name: str) -> None:
    tickets = counted(Source(shipped.file_for(load(name)), load(name)))

    assert (tickets.name, tickets.left_out) == ("the built-in sample", 0)
    assert tickets.requests >= 30
