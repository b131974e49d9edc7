"""The inputs for what only apps read of an episode: from the page into the feed, and taken back."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from podhost.formats.feed_tags import EPISODE_TAGS
from podhost.formats.tag_values import EpisodeTags
from podhost.instance import Instance
from podhost.models import Episode
from podhost.web.studio import episode_form
from podhost.web.studio.episode_tags import TAG_FIELDS, TAG_NAMES, bare, read_tags
from podhost.web.studio.show_fields import Field
from tests.making import feed_body, make_episode, make_show
from tests.studio_client import StudioClient, text_of
from tests.web.studio.test_episode_page import Desk, stored
from tests.web.studio.test_show_fields import said, structs

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
TYPED: dict[str, Any] = {
    "location": [{"name": "Lisboa", "rel": "creator", "geo": "geo:38.72,-9.14", "country": "PT"}],
    "social_interact": [
        {"protocol": "activitypub", "uri": "https://social.example/@tide/7", "priority": 1}
    ],
    "chat": {"server": "irc.example.org", "protocol": "irc", "space": "#tides"},
    "value": {
        "type": "lightning",
        "method": "lnaddress",
        "suggested": "0.00000005",
        "recipients": [
            {"name": "Bo", "type": "lnaddress", "address": "b@b.example", "split": 9},
            {"type": "lnaddress", "address": "a@b.example", "split": 1, "fee": True},
        ],
        "time_splits": [
            {
                "start": 12.5,
                "duration": 60,
                "remote_start": 0,
                "remote_percentage": 90,
                "remote_item": {
                    "feed_guid": "917393e3-1b1e-5cef-ace4-edaa54e1f810",
                    "medium": "music",
                },
            },
            {
                "start": 90,
                "duration": 30,
                "remote_start": 0,
                "remote_percentage": 100,
                "recipients": [{"type": "lnaddress", "address": "c@b.example", "split": 1}],
            },
        ],
    },
    "alternate_enclosures": [
        {
            "type": "video/mp4",
            "sources": [{"uri": "https://video.example/7.mp4"}],
            "length": 123,
            "bitrate": 96000,
            "height": 1080,
            "title": "Video",
            "integrity": {"type": "pgp-signature", "value": "abc"},
        }
    ],
    "other_images": [{"href": "https://img.example/w.jpg", "aspect_ratio": "16/9", "width": 1600}],
    "media_restriction": {"relationship": "deny", "countries": ["DE", "AT"]},
    "txt": [{"text": "true", "purpose": "ai-content"}],
    "foreign_tags": ['<x:mood xmlns:x="https://x.example/">calm & wide</x:mood>'.replace("&", "+")],
}
# What of each must stand in the feed.
IN_FEED = (
    '<podcast:location rel="creator" geo="geo:38.72,-9.14" country="PT">Lisboa</podcast:location>',
    'uri="https://social.example/@tide/7" priority="1"',
    '<podcast:chat server="irc.example.org" protocol="irc" space="#tides"/>',
    '<podcast:value type="lightning" method="lnaddress" suggested="0.00000005">',
    'address="a@b.example" split="1" fee="true"',
    '<podcast:valueTimeSplit startTime="12.5" duration="60" remotePercentage="90">',
    '<podcast:valueTimeSplit startTime="90" duration="30">',
    '<podcast:source uri="https://video.example/7.mp4"/>',
    '<podcast:integrity type="pgp-signature" value="abc"/>',
    'aspect-ratio="16/9"',
    '<media:restriction relationship="deny" type="country">de at</media:restriction>',
    '<podcast:txt purpose="ai-content">true</podcast:txt>',
    ">calm + wide</",
)


def inputs(values: dict[str, Any]) -> dict[str, str]:
    """What a page's form says where these values stand in its inputs."""
    fields = {field.name: field for field in TAG_FIELDS}
    return dict(pair for name, value in values.items() for pair in said(fields[name], name, value))


def desk(instance: Instance, episode: Episode, role: str = "editor") -> Desk:
    return Desk(StudioClient.visit_as(instance, role, episode.show.slug), episode)


def tag(instance: Instance, episode: Episode, name: str) -> Any:
    return (stored(instance, episode).tags or {}).get(name)


@pytest.fixture
def published(instance: Instance, mp3: Path) -> Episode:
    return make_episode(instance, make_show(instance), mp3)


@pytest.fixture
def draft(instance: Instance) -> Episode:
    return make_episode(instance, make_show(instance), None, publish=False)


def every_part(fields: tuple[Field, ...]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from every_part(field.parts)


def test_every_tag_of_an_episode_has_its_inputs_somewhere() -> None:
    # Its soundbites have a page of their own, on which they are heard.
    assert {*EPISODE_TAGS} - {"soundbites"} <= {*episode_form.FIELDS}
    kinds = get_type_hints(EpisodeTags)
    for field in TAG_FIELDS:
        assert set(TYPED) == set(TAG_NAMES)
        for kind in [*structs(kinds[field.name])][:1]:
            assert {part.name for part in field.parts} == {
                inner.name for inner in msgspec.structs.fields(kind)
            }


def test_each_has_a_line_of_help_and_its_element() -> None:
    for field in TAG_FIELDS:
        assert field.label and field.help.endswith(".") and len(field.help) <= 100
        assert field.element or field.name == "foreign_tags"
    assert all(part.label for part in every_part(TAG_FIELDS))


@ON_ONE_ENGINE
def test_what_is_typed_stands_in_the_feed_and_is_taken_back(
    instance: Instance, published: Episode
) -> None:
    at = desk(instance, published)
    assert "More for apps" in at.open().text
    typed = inputs(TYPED)
    assert "updated" in at.send("update", **typed).text
    # The page has it as it was typed, and says nothing else than before when it is sent again.
    assert {name: at.form[name] for name in typed} == typed
    version = stored(instance, published).edit_version
    at.send("update")
    assert stored(instance, published).edit_version == version
    feed = html.unescape(feed_body(instance, published.show).decode())
    for element in IN_FEED:
        assert element in feed, element
    history = at.visitor.get(f"{at.path}/history")
    assert "Payments while listening" in history.text
    undo = re.search(r'action="/studio(/[^"]+/undo)"', history.text)
    assert undo is not None
    at.visitor.post(undo[1])
    assert not any(tag(instance, published, name) for name in TAG_NAMES)


@ON_ONE_ENGINE
def test_rows_are_added_emptied_and_taken_away_without_a_script(
    instance: Instance, draft: Episode
) -> None:
    at = desk(instance, draft)
    # Two empty rows are there for browsers without scripts.
    page = at.open().text
    assert page.count('name="location[new1].name"') == 1
    assert 'name="alternate_enclosures[new0].sources[0].uri"' in page
    two = {"location[new0].name": "Lisboa", "location[new1].name": "Faro"}
    assert "Saved." in at.send(**two).text
    assert [place["name"] for place in tag(instance, draft, "location")] == ["Lisboa", "Faro"]
    at.send(**{"location[0].name": ""})
    assert [place["name"] for place in tag(instance, draft, "location")] == ["Faro"]


@ON_ONE_ENGINE
def test_what_is_wrong_stands_beside_its_input_and_stays_typed(
    instance: Instance, draft: Episode
) -> None:
    at = desk(instance, draft)
    typed = {
        "location[new0].name": "Lisboa",
        "location[new0].geo": "far away",
        "value.type": "lightning",
        "value.recipients[0].name": "Bo",
        "value.recipients[0].split": "half",
        "chat.server": "irc.example.org",
        "chat.protocol": "irc",
    }
    answer = at.send(**typed)
    assert answer.status_code == 422
    for path in ("location[0].geo", "value.recipients[0].split"):
        assert re.search(rf'id="{re.escape(path)}-error">[^<]+</p>', answer.text), path
    assert at.form["location[0].geo"] == "far away"
    assert at.form["value.recipients[0].split"] == "half"
    assert re.search(r'<details[^>]+id="for-apps" open>', answer.text)
    # What is right is kept.
    assert tag(instance, draft, "chat")["server"] == "irc.example.org"
    assert tag(instance, draft, "location") is None
    at.open()
    assert at.form["location[0].geo"] == "far away"


@ON_ONE_ENGINE
def test_both_are_shown_where_two_people_changed_the_same_tag(
    instance: Instance, published: Episode
) -> None:
    alice, bob = desk(instance, published, "owner"), desk(instance, published)
    alice.send("update", **inputs({"location": [{"name": "Lisboa"}]}))
    typed = inputs({"location": [{"name": "Faro", "country": "PT"}], "chat": TYPED["chat"]})
    answer = bob.send("update", **typed)
    assert answer.status_code == 409
    assert "Places: Owner changed this while you did" in text_of(answer)
    assert "Faro, PT" in text_of(answer) and "Lisboa" in text_of(answer)
    bob.send("mine:location")
    bob.send("update")
    assert tag(instance, published, "location") == [{"name": "Faro", "country": "PT"}]


@ON_ONE_ENGINE
def test_a_form_of_a_page_without_these_inputs_empties_none(
    instance: Instance, draft: Episode
) -> None:
    at = desk(instance, draft)
    at.send(**inputs(TYPED))
    kept = dict(stored(instance, draft).tags or {})
    was = msgspec.json.decode(at.form["was"])
    older = {name: value for name, value in at.form.items() if not name.startswith(TAG_NAMES)}
    known = {name: said for name, said in was.items() if name not in TAG_NAMES}
    older["was"] = msgspec.json.encode(known).decode()
    at.form = older
    assert "Saved." in at.send(title="Ebb").text
    assert (stored(instance, draft).title, stored(instance, draft).tags) == ("Ebb", kept)


def test_a_value_is_the_same_however_it_is_written() -> None:
    values, wrong = read_tags(inputs(TYPED).items())
    assert wrong == {}
    assert {name: bare(value) for name, value in values.items()} == {
        name: bare(value) for name, value in TYPED.items()
    }
    assert bare({"a": [], "b": "", "c": {"d": None}, "e": False}) is None


@ON_ONE_ENGINE
@pytest.mark.parametrize(
    "typed",
    [
        {"value": "x", "chat": "y", "location": "z"},
        {"value.recipients[0].split": "9" * 40},
        {"alternate_enclosures[0].bitrate": "1e400", "alternate_enclosures[0].type": "x"},
        {"media_restriction.relationship": "nowhere", "media_restriction.countries": ",;,"},
        {"foreign_tags[0]": "<a><b/>" * 5_000},
        {"txt[0].text": "\x00" * 50},
        {f"location[{n}].name": "x" for n in range(300)},
    ],
)
def test_odd_input_is_refused_or_dropped(
    instance: Instance, draft: Episode, typed: dict[str, str]
) -> None:
    assert desk(instance, draft).send(**typed).status_code in (200, 422)
