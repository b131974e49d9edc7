"""Whatever rows may hold survives the way out and back: no field would be changed by publishing."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from podhost import episodes, fields, shows
from podhost.exports.values import episode_file, show_file
from podhost.folders.contents import EpisodeFiles
from podhost.folders.values import credits_of, episode_input, show_input
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.showfolder import dated_at, read_episode, read_show
from podhost.formats.showfolder_writing import render_episode_file, render_show_file
from podhost.models import Credit, Episode, Show
from podhost.people import read_credits, whole_credit_values
from tests.formats.test_showfolder_writing import guid, moment, slug, words, zone

links = st.none() | st.sampled_from(
    [
        "https://ann.example/",
        "http://x.example:8080/a b?é=%zz",
        "https://x.example/" + "é" * 400,
    ]
)
numbers = st.none() | st.integers(1, 1_000_000)
lines = words.map(fields.optional_line)
credit_rows = st.builds(
    lambda name, role, url, bio, image: Credit(
        name=name,
        role=normalise_role(role)[0],
        group=normalise_role(role)[1],
        url=fields.web_url(url),
        bio=fields.paragraph(bio),
        image_url=fields.web_url(image),
        artwork_id=None,
    ),
    lines.filter(bool),
    st.sampled_from(["host", "guest", "Producer", "author"]),
    links,
    words,
    links,
)
show_rows = st.builds(
    lambda category, **said: Show(
        categories=fields.categories(category),
        podcast_guid="917393e3-1b1e-5cef-ace4-edaa54e1f810",
        **said,
    ),
    st.sampled_from([[], ["Arts > Books", "Society & Culture"]]),
    slug=slug,
    title=lines.filter(bool),
    description=words.map(fields.paragraph),
    link=links.map(fields.web_url),
    language=st.sampled_from(["en", "PT_br"]).map(fields.language),
    author=lines,
    copyright=words.map(fields.line_or_none),
    owner_name=words.map(fields.line_or_none),
    # Longer before the @ than mail servers take.
    owner_email=st.just("a+" * 50 + "@mail.ann.example").map(fields.email),
    explicit=st.booleans(),
    show_type=st.sampled_from(["episodic", "serial"]),
    time_zone=zone,
    medium=st.sampled_from(shows.MEDIUMS),
    is_locked=st.booleans(),
    is_blocked=st.booleans(),
    is_complete=st.booleans(),
    new_feed_url=links.map(fields.web_url),
    write_tags=st.booleans(),
    moved_to=links.map(fields.web_url),
    moved_audio=st.booleans(),
)
episode_rows = st.builds(
    Episode,
    guid=guid,
    slug=slug,
    title=lines.filter(bool),
    notes=words.map(fields.markdown),
    author=words.map(fields.line_or_none),
    link=links.map(fields.web_url),
    status=st.sampled_from(["draft", "scheduled", "published", "withdrawn"]),
    published_at=st.none() | moment,
    season=numbers,
    season_name=words.map(fields.line_or_none),
    number=numbers,
    episode_type=st.sampled_from(["full", "trailer", "bonus"]),
    explicit=st.none() | st.booleans(),
    is_blocked=st.booleans(),
    credits=st.lists(credit_rows, max_size=3),
)
# Each example is a whole show or episode.
FEWER = settings(max_examples=settings.default.max_examples // 4)
# Nothing here asks the database, and of a file only that it is there.
NO_SESSION: Any = None
A_FILE: Any = object()


@FEWER
@given(show_rows, st.lists(credit_rows, max_size=2))
def test_any_show_comes_back_unchanged(show: Show, people: list[Credit]) -> None:
    found = read_show(render_show_file(show_file(show, people, {})))
    assert shows.changed_fields(show, show_input(found)) == []
    assert (found.slug, found.podcast_guid) == (show.slug, show.podcast_guid)
    given_people = credits_of(found.people, {})
    wanted = read_credits(NO_SESSION, given_people, default_role="host")
    assert wanted == [whole_credit_values(credit) for credit in people]


@FEWER
@given(show_rows, episode_rows)
def test_any_episode_comes_back_unchanged(show: Show, episode: Episode) -> None:
    text = render_episode_file(episode_file(show, episode, {}))
    found = read_episode(text)
    files = EpisodeFiles(stem="001", text_file=A_FILE, text=text, source=found)
    assert found.title == episode.title
    assert episodes.changed_fields(episode, episode_input(files, {})) == []
    assert (found.guid, found.slug) == (episode.guid, episode.slug)
    assert dated_at(found, show.time_zone) == episode.published_at
    given_people = credits_of((*found.guests, *found.people), {})
    wanted = read_credits(NO_SESSION, given_people, default_role="guest")
    assert wanted == [whole_credit_values(credit) for credit in episode.credits]
    if episode.published_at is not None:
        assert found.status == {"draft": "draft", "withdrawn": "withdrawn"}.get(episode.status)
