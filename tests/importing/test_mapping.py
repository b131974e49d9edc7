"""What a feed says as what a host gives: of our own feeds every value, of others what there is."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.feeds.rendering import episode_people
from podhost.formats.feed_values import FeedPerson
from podhost.formats.feed_xml import read_feed
from podhost.formats.imported import ImportedShow
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.markdown import clean_html, render_notes
from podhost.formats.podcast_namespace import PERSON_ROLES
from podhost.formats.rss import render_feed
from podhost.formats.rss_import import read_show
from podhost.formats.text import plain_line, plain_text
from podhost.importing.mapping import as_markdown, episode_input, is_blocked, show_input
from podhost.models import Credit
from tests.formats.test_rss import episode_tags, make_episode, make_show, show_tags

GOLDEN = Path(__file__).parents[1] / "golden"
FEED = "https://pod.example/tide/feed.xml"
letters = st.characters(codec="utf-8", exclude_categories=("C", "Z", "M"))
lines = st.text(letters | st.sampled_from(" &<>'\"é"), min_size=1, max_size=40).map(plain_line)
named = lines.filter(bool)
bios = st.none() | st.text(st.sampled_from("abc &é,"), max_size=30).map(plain_line)
addresses = st.none() | st.sampled_from(["https://ann.example/", "https://bo.example/?a=1&b=2"])
people = st.builds(
    FeedPerson,
    name=st.sampled_from(["Ann Guest", "Bo & Bell", "Çelik", "Dee (live)"]),
    role=st.sampled_from(["guest", "guest", "guest", "host", "producer", "author"]),
    url=addresses,
    image_url=addresses,
).map(lambda person: grouped(person))
notes = st.text(st.sampled_from("ab*_`#<>&\n -1.[](){}"), max_size=60).map(render_notes)
numbers = st.none() | st.integers(1, 9999)


def grouped(person: FeedPerson) -> FeedPerson:
    group = PERSON_ROLES[person.role]
    return FeedPerson(person.name, person.role, group, person.url, person.image_url)


def imported(body: bytes) -> ImportedShow:
    return read_show(read_feed(body, ""), feed_url=FEED)


@given(
    st.fixed_dictionaries(
        {
            "title": named,
            "description": named.map(plain_text).filter(bool),
            "author": named,
            "language": st.sampled_from(["en", "pt-br", "de"]),
            "explicit": st.booleans(),
            "show_type": st.sampled_from(["episodic", "serial"]),
            "categories": st.sampled_from(
                [(("Arts", "Books"), ("News", None)), (("Comedy", None),)]
            ),
            "copyright": st.none() | named,
            "is_locked": st.booleans(),
            "is_blocked": st.booleans(),
            "is_complete": st.booleans(),
            "medium": st.sampled_from(["podcast", "music", "audiobook"]),
            "people": st.lists(people, max_size=3, unique_by=lambda p: p.name).map(tuple),
        }
    )
)
def test_every_value_of_a_show_comes_back(said: dict[str, Any]) -> None:
    show = make_show(**said)
    read = imported(render_feed(show, []))
    given, left_out = show_input(read)
    for name in ("title", "description", "author", "explicit", "show_type", "copyright", "medium"):
        assert getattr(given, name) == said[name]
    assert given.language == said["language"]
    assert given.categories == [[*pair] for pair in said["categories"]]
    assert (given.locked, given.complete) == (said["is_locked"], said["is_complete"])
    assert is_blocked(read) == said["is_blocked"]
    assert given.podcast_guid == show.podcast_guid
    assert given.link == show.url
    assert _said(given.people) == [_values(person) for person in said["people"]]
    assert left_out == []


@given(
    st.fixed_dictionaries(
        {
            "title": named,
            "notes_html": notes,
            "season": numbers,
            "season_name": st.none() | named,
            "number": numbers,
            "explicit": st.booleans(),
            "is_blocked": st.booleans(),
            "episode_type": st.sampled_from(["full", "trailer", "bonus"]),
            "author": st.none() | named,
            "guid": st.text(letters, min_size=1, max_size=60),
        }
    ),
    # A guest of the whole show is one of no episode.
    st.lists(people, max_size=2, unique_by=lambda p: p.name).map(
        lambda people: [person for person in people if person.role != "guest"]
    ),
    st.lists(st.tuples(people, bios), max_size=3, unique_by=lambda p: p[0].name),
)
def test_every_value_of_an_episode_comes_back(
    said: dict[str, Any], hosts: list[FeedPerson], guests: list[tuple[FeedPerson, str | None]]
) -> None:
    # As a feed is made: the guests above the notes, the show's people before the episode's.
    own = [person for person, _ in guests]
    introduced = [
        NotesGuest(person.name, person.url, bio) for person, bio in guests if person.role == "guest"
    ]
    whole = {
        **said,
        "notes_html": render_guests_html(introduced) + said["notes_html"],
        "people": tuple(_shown(hosts, own)),
    }
    read = imported(render_feed(make_show(people=tuple(hosts)), [make_episode(1, **whole)]))
    (episode,) = read.episodes
    given, _ = episode_input(episode, read)
    assert episode.guid == said["guid"].strip()
    for name in ("title", "season", "number", "episode_type", "explicit"):
        assert getattr(given, name) == said[name]
    assert given.blocked == said["is_blocked"]
    assert given.season_name == (said["season_name"] if said["season"] else None)
    shown = None if said["author"] == "Pier Nine" else said["author"]
    assert given.author == shown
    # What stands in the feed in the end is the same again.
    again = [NotesGuest(p.name, p.url, p.bio) for p in given.people or () if p.role == "guest"]
    assert render_guests_html(again) + render_notes(given.notes or "") == episode.notes_html
    credits = [FeedPerson(p.name, p.role, p.group, p.url, p.image_url) for p in given.people or ()]
    assert _shown(hosts, credits) == list(whole["people"])


def _shown(hosts: list[FeedPerson], own: list[FeedPerson]) -> list[FeedPerson]:
    """Whom `feeds` names, told apart by their names."""

    def row(person: FeedPerson) -> Credit:
        return Credit(
            name=person.name,
            role=person.role,
            group=person.group,
            url=person.url,
            image_url=person.image_url,
            person_id=person.name,
        )

    found = episode_people([row(host) for host in hosts], [row(person) for person in own])
    return [FeedPerson(c.name, c.role, c.group, c.url, c.image_url) for c in found]


def _said(people: Any) -> list[tuple[Any, ...]]:
    return [(p.name, p.role, p.group, p.url, p.image_url) for p in people]


def _values(person: FeedPerson) -> tuple[Any, ...]:
    return (person.name, person.role, person.group, person.url, person.image_url)


# Mail addresses, which are never published again unasked.
PRIVATE = {"locked_owner", "managing_editor", "web_master"}
# How the old host cut its feeds stands in no tag.
OWN_AFFAIRS = {"feeds", "feed_page_size", "slim_after", "labels"}


def test_every_optional_tag_comes_back() -> None:
    text = (GOLDEN / "every-tag" / "input.toml").read_text()
    # Feeds say it in the taxonomy's own form.
    said = tomllib.loads(text.replace('role = "Guest"', 'role = "guest", group = "cast"'))
    read = imported((GOLDEN / "every-tag" / "expected.xml").read_bytes())
    given, notes = show_input(read)
    wanted = show_tags(said["show"]["tags"])
    for name in set(wanted.__struct_fields__) - PRIVATE - OWN_AFFAIRS:
        assert (getattr(given, name) or None) == (getattr(wanted, name) or None), name
    episode, more = episode_input(read.episodes[0], read)
    wanted_of_episode = episode_tags(said["episodes"][0]["tags"])
    for name in set(wanted_of_episode.__struct_fields__) - OWN_AFFAIRS:
        assert (getattr(episode, name) or None) == (getattr(wanted_of_episode, name) or None), name
    assert notes + more == [
        "The owner's mail address stays private; give it anew if apps may show it."
    ]


@given(
    st.lists(
        st.sampled_from(
            r"\n\n|\n|    |*a*|[b](https://b.example)|# c|<p>|</p>|<pre>|</pre>|<ul><li>|</li></ul>"
            r"|<b>|</b>|&amp;|&lt;|- d|`|<br>".replace(r"\n", "\n").split("|")
        ),
        max_size=12,
    ).map("".join)
)
def test_notes_are_the_same_html_again(written: str) -> None:
    clean = clean_html(written)
    assert render_notes(as_markdown(clean)) == clean_html(clean)


# Feeds of others


def feed_of(channel: str = "", item: str = "") -> ImportedShow:
    namespaces = (
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        'xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:odd="https://odd.example/"'
    )
    return imported(
        f'<rss version="2.0" {namespaces}><channel><title>Tide</title>{channel}'
        f"<item><title>One</title><guid>g</guid>{item}</item></channel></rss>".encode()
    )


@pytest.mark.parametrize(
    ("tag", "field", "sentence"),
    [
        ('<podcast:location geo="north">Lisbon</podcast:location>', "location", "Location"),
        ("<podcast:license>My own words</podcast:license>", "license", "License"),
        ('<podcast:value type="lightning" method="keysend"/>', "value", "Value"),
        ('<podcast:socialInteract protocol="activitypub"/>', "social_interact", "Social interact"),
    ],
)
def test_a_tag_that_is_not_valid_is_left_out_and_said(tag: str, field: str, sentence: str) -> None:
    given, notes = show_input(feed_of(channel=tag))
    assert not getattr(given, field)
    assert any(note.startswith(f"{sentence} cannot be kept as it is") for note in notes)
    assert given.title == "Tide"


def test_of_several_tags_the_valid_ones_stay() -> None:
    tags = '<podcast:txt purpose="a">1</podcast:txt><podcast:txt purpose="b"></podcast:txt>'
    funding = '<podcast:funding url="https://a.example">Give</podcast:funding>'
    given, _ = show_input(feed_of(channel=tags + funding))
    assert given.txt
    assert [tag.text for tag in given.txt] == ["1"]
    assert given.funding


def test_unknown_roles_never_lose_a_person() -> None:
    tag = '<podcast:person role="Zauberer" group="Zirkus">Ann</podcast:person>'
    given, notes = episode_input(feed_of(item=tag).episodes[0], feed_of())
    assert [(p.name, p.role) for p in given.people or ()] == [("Ann", "host")]
    assert "zauberer" in notes[0]


def test_soundbites_beyond_the_end_are_left_out() -> None:
    tags = (
        '<podcast:soundbite startTime="1" duration="2">In</podcast:soundbite>'
        '<podcast:soundbite startTime="9" duration="9">Out</podcast:soundbite>'
    )
    given, notes = episode_input(feed_of(item=tags).episodes[0], feed_of(), duration_ms=10_000)
    assert [bite.title for bite in given.soundbites or ()] == ["In"]
    assert "ends after the audio" in notes[0]


def test_people_of_the_show_are_not_made_the_episodes_own() -> None:
    channel = "<podcast:person>Ann</podcast:person>"
    item = channel + '<podcast:person role="guest">Bo</podcast:person>'
    show = feed_of(channel=channel, item=item)
    given, _ = episode_input(show.episodes[0], show)
    assert [p.name for p in given.people or ()] == ["Bo"]
