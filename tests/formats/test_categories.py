"""Categories as people write them, and the exact names that directories accept."""

import json
from collections import Counter
from importlib.resources import files

import pytest

from podhost.errors import Invalid
from podhost.formats.categories import categories, is_category, parse_category
from podhost.formats.languages import is_language_code


def test_there_are_nineteen_categories_with_ninety_one_subcategories() -> None:
    assert len(categories()) == 19
    assert sum(len(children) for children in categories().values()) == 91


def test_every_name_is_found_by_itself_and_by_its_path() -> None:
    for parent, children in categories().items():
        assert parse_category(parent) == (parent, None)
        for child in children:
            assert parse_category(child) == (parent, child)
            assert parse_category(f"{parent} > {child}") == (parent, child)
            assert parse_category((parent, child)) == (parent, child)


def test_no_subcategory_has_the_name_of_another_category() -> None:
    names = Counter(categories().keys())
    for children in categories().values():
        names.update(children)
    assert set(names.values()) == {1}


@pytest.mark.parametrize(
    "written",
    [
        "Society & Culture > Places & Travel",
        "Society & Culture>Places & Travel",
        "society and culture  ›  places and travel",
        "Society &amp; Culture > Places &amp; Travel",
        "Society & Culture / Places & Travel",
        " PLACES & TRAVEL ",
        ["Society & Culture", "Places & Travel"],
    ],
)
def test_it_forgives_case_spaces_and_separators(written: str | list[str]) -> None:
    assert parse_category(written) == ("Society & Culture", "Places & Travel")


def test_a_pair_may_end_in_nothing() -> None:
    assert parse_category(("Arts", None)) == ("Arts", None)
    assert parse_category(("Arts", "")) == ("Arts", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Games & Hobbies > Video Games", ("Leisure", "Video Games")),
        ("Games & Hobbies", ("Leisure", None)),
        ("Technology > Text/Speech", ("Technology", None)),
        ("Health > Self-Help", ("Education", "Self-Improvement")),
        ("Business > Shopping", ("Business", None)),
        ("News & Politics", ("News", "Politics")),
        ("Podcasting", ("Technology", None)),
        ("Gadgets", ("Technology", None)),
    ],
)
def test_names_from_before_2019_become_those_of_today(old: str, new: tuple[str, str]) -> None:
    assert parse_category(old) == new


def test_every_old_name_leads_to_one_that_a_feed_may_use() -> None:
    data = json.loads((files("podhost") / "data" / "categories.json").read_text("utf-8"))
    for old in data["legacy"]:
        assert is_category(*parse_category(old)), old


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Comdey", "“Comedy”"),
        ("Arts > Boks", "“Arts > Books”"),
        ("True crimes", "“True Crime”"),
        ("Places and Travels", "“Society & Culture > Places & Travel”"),
    ],
)
def test_an_unknown_name_is_refused_with_near_matches(written: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_category(written)
    assert hint in refused.value.message


@pytest.mark.parametrize(
    "written", ["", " > ", "Arts > Tennis", "Arts > Books > Food", "x" * 10_000]
)
def test_what_is_no_category_is_refused_with_a_sentence(written: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_category(written)
    assert len(refused.value.message) < 400


def test_a_bare_old_name_that_meant_several_things_is_refused() -> None:
    with pytest.raises(Invalid):
        parse_category("Other Hobbies")


@pytest.mark.parametrize(
    "code", ["en", "EN", "en-US", "pt-br", "zh-Hant-TW", "zh-hans", "es-419", "haw", "fil", "de-ch"]
)
def test_languages_of_iso_639_are_accepted(code: str) -> None:
    assert is_language_code(code)


@pytest.mark.parametrize(
    "code",
    ["", "e", "english", "xx", "xxx", "en_US", "en-", "en-USA", "en-us-x", " en", "en\n", "ëñ"],
)
def test_other_language_codes_are_not(code: str) -> None:
    assert not is_language_code(code)
