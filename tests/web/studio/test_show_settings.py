"""The pages of a show's settings: saved and read back, wrong input kept, nothing hostile run."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from podhost.answers import show_answer
from podhost.doctor import diagnoses
from podhost.formats.doctor_rules import Finding
from podhost.instance import Instance
from podhost.models import Artwork
from podhost.people import list_credits
from podhost.shows import ShowInput, change_show, find_show, get_show
from podhost.web.inputs import read_struct
from podhost.web.studio.doctor_words import remark_of
from podhost.web.studio.show_groups import GROUPS
from podhost.worker import run_due_jobs
from tests.making import feed_body, make_episode, make_show
from tests.studio_client import StudioClient, text_of
from tests.web.studio.sent_forms import inputs_of

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
SHOW = "/shows/tide-tables"
GUID = "9b024349-ccf0-5f69-a609-6b82873eab3c"
# Something of every field that can be said.
FULL: dict[str, Any] = {
    "description": "Harbour talk.\n\nWith & without <boats>.",
    "link": "https://tide.example/",
    "language": "pt-br",
    "copyright": "Pier Nine",
    "owner_name": "Pia",
    "owner_email": "pia@tide.example",
    "explicit": True,
    "type": "serial",
    "categories": ["Arts > Books", "Science"],
    "time_zone": "Europe/Lisbon",
    "locked": False,
    "blocked": True,
    "complete": True,
    "new_feed_url": "https://new.example/feed",
    "write_tags": True,
    "locked_owner": "lock@tide.example",
    "apple_title": "Tide",
    "managing_editor": "ed@example.org (Ed Itor)",
    "web_master": "web@example.org (Web Master)",
    "txt": [{"text": "a proof", "purpose": "verify"}, {"text": "two\nlines"}],
    "funding": [{"url": "https://give.example/", "label": "Give"}],
    "location": [{"name": "Lisboa", "rel": "creator", "geo": "geo:38.72,-9.14", "country": "PT"}],
    "license": {"name": "CC-BY-4.0"},
    "value": {
        "type": "lightning",
        "method": "lnaddress",
        "suggested": "0.00000005",
        "recipients": [{"type": "lnaddress", "address": "a@b.example", "split": 9, "fee": True}],
    },
    "images": True,
    "artwork_alt": "A pier",
    "other_images": [{"href": "https://a.example/wide.jpg", "aspect_ratio": "16/9", "width": 1600}],
    "platform_blocks": [{"id": "youtube"}, {"id": "amazon", "block": False}],
    "update_frequency": {"label": "Mondays", "rrule": "FREQ=WEEKLY;BYDAY=MO", "complete": True},
    "podroll": [{"feed_guid": GUID, "feed_url": "https://o.example/f", "title": "Other"}],
    "publisher": {"feed_guid": GUID},
    "remote_items": [{"feed_guid": GUID, "medium": "music"}],
    "chat": {"server": "irc.example.org", "protocol": "irc", "space": "#tide"},
    "social_interact": [{"protocol": "activitypub", "uri": "https://m.example/1", "priority": 1}],
    "inline_chapters": True,
    "spotify_limit": 50,
    "spotify_countries": ["SE", "NO"],
    "media_restriction": {"relationship": "deny", "countries": ["DE", "AT"]},
    "live_items": [
        {
            "guid": "live-1",
            "title": "Live",
            "start": "2026-12-01T19:00:00Z",
            "content_links": [{"href": "https://tide.example/live", "text": "Listen"}],
        }
    ],
    "foreign_tags": ['<x:a xmlns:x="urn:x">1 &lt; 2</x:a>'],
    "feeds": [{"name": "season-2", "seasons": [1, 2], "types": ["full"], "newest": 10}],
    "feed_page_size": 100,
    "slim_after": 50,
    "people": [
        {
            "name": "Pia Port",
            "role": "host",
            "url": "https://pia.example/",
            "bio": "Pia fishes.",
            "links": [{"url": "https://m.example/@pia", "name": "Mastodon"}],
        },
        {"name": "Bo", "role": "producer"},
    ],
}


@pytest.fixture
def owner(instance: Instance) -> StudioClient:
    make_show(instance)
    return StudioClient.visit_as(instance, "owner", "tide-tables")


def change(instance: Instance, given: dict[str, Any]) -> None:
    with instance.database.write() as session:
        wanted, _ = read_struct(given, ShowInput)
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, wanted, now=instance.now())


def told(instance: Instance) -> Any:
    with instance.database.read() as session:
        return show_answer(session, get_show(session, "tide-tables"), instance.base_url)


def save(owner: StudioClient, group: str, changes: Callable[[dict[str, str]], None]) -> Any:
    """Open the page of a group, change inputs, and send the form as a browser would."""
    path = f"{SHOW}/settings/{group}"
    page = owner.get(path)
    assert page.status_code == 200, text_of(page)
    inputs = inputs_of(page.text, f"/studio{path}")
    inputs.pop("csrf")
    changes(inputs)
    return owner.post(path, inputs)


def test_saving_each_page_as_it_was_shown_changes_nothing(
    instance: Instance, owner: StudioClient
) -> None:
    change(instance, FULL)
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        (first, _) = list_credits(session, show, None)
        held = session.get_one(Artwork, show.artwork_id)
        first.artwork_id = held.id
    before = told(instance)
    with instance.database.read() as session:
        version = get_show(session, "tide-tables").version
    for group in GROUPS:
        answer = save(owner, group.name, lambda inputs: None)
        assert answer.status_code == 303, text_of(answer)
    assert told(instance) == before
    with instance.database.read() as session:
        assert get_show(session, "tide-tables").version == version


def test_what_each_page_says_is_saved(instance: Instance, owner: StudioClient) -> None:
    def about(inputs: dict[str, str]) -> None:
        inputs |= {"title": "High Tide", "language": "es", "explicit": "on", "type": "serial"}
        inputs |= {"categories[0]": "Arts", "categories[new0]": "Comedy", "license.name": "CC0-1.0"}

    def people(inputs: dict[str, str]) -> None:
        inputs |= {"people[new0].name": "Ann", "people[new0].role": "guest"}
        inputs |= {"people[new1].role": "host", "owner_email": "a@b.example"}

    def apps(inputs: dict[str, str]) -> None:
        inputs |= {"funding[new0].url": "https://give.example/", "spotify_countries": "se no"}
        inputs |= {"value.type": "lightning", "value.method": "lnaddress"}
        part = "value.recipients[new0]"
        inputs |= {f"{part}.type": "node", f"{part}.address": "02ab", f"{part}.split": "1"}

    def feed(inputs: dict[str, str]) -> None:
        inputs.pop("locked")
        inputs |= {"slim_after": "30", "feeds[new0].name": "s1", "feeds[new0].seasons": "1"}

    def advanced(inputs: dict[str, str]) -> None:
        inputs |= {"medium": "music", "foreign_tags[new0]": '<x:a xmlns:x="urn:x"/>'}

    def artwork(inputs: dict[str, str]) -> None:
        inputs |= {"artwork_alt": "A pier", "images": "on"}

    forms = {"people": people, "apps": apps, "feed": feed, "advanced": advanced}
    for group, changes in {**forms, "artwork": artwork, "about": about}.items():
        answer = save(owner, group, changes)
        assert answer.status_code == 303, text_of(answer)
        assert "Saved." in text_of(owner.follow(answer))
    found = told(instance)
    assert (found.title, found.language, found.explicit) == ("High Tide", "es", True)
    assert (found.show_type, found.license.name) == ("serial", "CC0-1.0")
    assert found.categories == [["Arts", None], ["Comedy", None]]
    assert [(one.name, one.role) for one in found.people] == [("Ann", "guest")]
    assert found.funding[0].url == "https://give.example/"
    assert found.spotify_countries == ("SE", "NO")
    assert found.value.recipients[0].address == "02ab"
    assert (found.locked, found.slim_after) == (False, 30)
    assert found.feeds[0].seasons == (1,)
    assert (found.medium, found.artwork_alt, found.images) == ("music", "A pier", True)
    assert len(found.foreign_tags) == 1


# The group, the input, what is typed there, and what is said beside it.
WRONG = (
    ("about", "title", "", "It must not be empty."),
    ("about", "link", "tide.example", "https://"),
    ("about", "language", "Klingon", "language code"),
    ("about", "time_zone", "../../etc/passwd", "time zone"),
    ("about", "license.url", "javascript:alert(1)", "https://"),
    ("about", "location[0].geo", "north", "latitude"),
    ("people", "owner_email", "nobody", "e-mail"),
    ("people", "people[0].name", " ", "It must not be empty."),
    ("apps", "spotify_limit", "a few", "whole number"),
    ("apps", "value.recipients[0].split", "half", "whole number"),
    ("feed", "feeds[0].seasons", "1, two", "whole number"),
    ("feed", "feeds[0].name", "Not A Name", "letters"),
    ("advanced", "live_items", "[{", "list"),
    ("advanced", "podcast_guid", "1", "UUID"),
    ("advanced", "foreign_tags[0]", "<script>alert(1)</script>", "namespace"),
)


@ON_ONE_ENGINE
def test_what_is_wrong_is_said_beside_its_field_and_the_input_is_kept(
    instance: Instance, owner: StudioClient
) -> None:
    change(instance, FULL)
    before = told(instance)
    for group, name, value, said in WRONG:
        answer = save(
            owner, group, lambda inputs, name=name, value=value: inputs.update({name: value})
        )
        assert answer.status_code == 422, name
        inputs = inputs_of(answer.text, f"/studio{SHOW}/settings/{group}")
        assert inputs[name].strip() == value.strip()
        problem = answer.text.split(f'id="{name}-error">')[1].split("</p>")[0]
        assert said in problem, name
        assert f'href="#field-{name}"' in answer.text
    assert told(instance) == before


@ON_ONE_ENGINE
def test_nothing_that_a_host_writes_runs(instance: Instance, owner: StudioClient) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    for group, names in (
        ("about", ("title", "description", "author", "link", "language", "license.name")),
        ("people", ("people[new0].name", "people[new0].url", "owner_name", "people[new0].role")),
        ("apps", ("funding[new0].label", "funding[new0].url", "txt[new0].text", "apple_title")),
        ("advanced", ("live_items", "slug", "medium", "foreign_tags[new0]")),
    ):
        answer = save(
            owner, group, lambda inputs, names=names: inputs.update(dict.fromkeys(names, evil))
        )
        pages = [answer.text]
        if answer.status_code == 303:
            pages.append(owner.follow(answer).text)
        for page in pages:
            assert "<script>alert" not in page
            assert "<img src=x" not in page
    page = owner.get(f"{SHOW}/settings").text
    assert "<script>alert" not in page


@ON_ONE_ENGINE
def test_what_somebody_else_changed_meanwhile_is_not_overwritten_unseen(
    instance: Instance, owner: StudioClient
) -> None:
    path = f"{SHOW}/settings/apps"
    inputs = inputs_of(owner.get(path).text, f"/studio{path}")
    change(instance, {"apple_title": "Theirs"})
    wrong = owner.post(path, inputs | {"apple_title": "Mine", "spotify_limit": "x"})
    assert wrong.status_code == 422
    inputs = inputs_of(wrong.text, f"/studio{path}") | {"spotify_limit": ""}
    answer = owner.post(path, inputs)
    assert answer.status_code == 409
    assert "Somebody else changed these settings" in text_of(answer)
    assert told(instance).apple_title == "Theirs"
    again = inputs_of(answer.text, f"/studio{path}")
    assert again["apple_title"] == "Mine"
    assert owner.post(path, again).status_code == 303
    assert told(instance).apple_title == "Mine"
    # What was changed on another page is none of this one's business.
    inputs = inputs_of(owner.get(path).text, f"/studio{path}")
    change(instance, {"title": "High Tide"})
    assert owner.post(path, inputs).status_code == 303


@ON_ONE_ENGINE
def test_a_private_feed_gets_a_name_that_nobody_guesses_and_tells_it(
    instance: Instance, owner: StudioClient
) -> None:
    part = "feeds[new0]"
    given = {f"{part}.title": "Early <b>", f"{part}.private": "on"}
    answer = save(owner, "feed", lambda inputs: inputs.update(given))
    assert answer.status_code == 303, text_of(answer)
    (feed,) = told(instance).feeds
    assert len(feed.name) == 32
    page = owner.get(f"{SHOW}/settings/feed")
    assert f'value="https://pod.example/tide-tables/feeds/{feed.name}.xml"' in page.text
    assert "Early <b>" not in page.text


@ON_ONE_ENGINE
def test_links_that_are_taken_out_are_gone(instance: Instance, owner: StudioClient) -> None:
    change(instance, {"people": FULL["people"]})

    def without_links(inputs: dict[str, str]) -> None:
        for name in [name for name in inputs if ".links[" in name]:
            inputs.pop(name)

    assert save(owner, "people", without_links).status_code == 303
    assert told(instance).people[0].links == []


@ON_ONE_ENGINE
def test_a_new_name_in_addresses_asks_once(instance: Instance, owner: StudioClient) -> None:
    asked = save(owner, "advanced", lambda inputs: inputs.update(slug="high-tide"))
    assert asked.status_code == 422
    assert "Change the name in addresses to “high-tide”" in text_of(asked)
    assert told(instance).slug == "tide-tables"
    inputs = inputs_of(asked.text, f"/studio{SHOW}/settings/advanced")
    assert inputs["slug"] == "high-tide"
    done = owner.post(f"{SHOW}/settings/advanced", inputs | {"confirm_slug": "on"})
    assert done.headers["location"] == "/studio/shows/high-tide/settings/advanced"
    with instance.database.read() as session:
        show = find_show(session, "tide-tables")
        assert show is not None
        assert show.slug == "high-tide"


@ON_ONE_ENGINE
def test_a_name_that_is_taken_is_said_beside_it(instance: Instance, owner: StudioClient) -> None:
    make_show(instance, "Other")
    answer = save(owner, "advanced", lambda inputs: inputs.update(slug="other", confirm_slug="on"))
    assert answer.status_code == 422
    assert "There is a show &#39;other&#39; already." in answer.text


@ON_ONE_ENGINE
def test_a_show_is_deleted_when_its_name_was_typed(instance: Instance, owner: StudioClient) -> None:
    wrong = owner.post(f"{SHOW}/delete", {"title": "Tide"})
    assert wrong.status_code == 422
    assert "exactly" in text_of(wrong)
    assert told(instance).title == "Tide Tables"
    done = owner.post(f"{SHOW}/delete", {"title": "tide tables "})
    assert done.status_code == 303
    with instance.database.read() as session:
        show = find_show(session, "tide-tables")
        assert show is not None
        assert show.deleted_at is not None
    assert 'action="/studio/trash/tide-tables/restore"' in owner.follow(done).text
    assert owner.post("/trash/tide-tables/restore").status_code == 303
    assert told(instance).title == "Tide Tables"


@ON_ONE_ENGINE
def test_the_doctor_speaks_a_hosts_words_and_leads_to_what_mends_it(
    instance: Instance, owner: StudioClient, mp3: Any
) -> None:
    show = make_show(instance, "Plain", description="", categories=[])
    visitor = StudioClient.visit_as(instance, "operator", client=owner.client)
    episode = make_episode(instance, show, mp3, "#12: Twelfth", number=12)
    feed_body(instance, show)
    page = visitor.get("/shows/plain/settings/apps")
    said = text_of(page)
    assert "Choose a category" in said
    assert 'href="/studio/shows/plain/settings/about#field-categories"' in page.text
    assert "A title begins with the episode" in said
    assert f'href="/studio/shows/plain/episodes/{episode.id}"' in page.text
    assert "no owner" in said
    assert "itunes:" not in said.split("Apps and directories")[0]


def test_a_finding_without_words_of_its_own_keeps_the_doctors() -> None:
    finding = Finding(
        "hint", "ttl-invalid", "episode 2, “A”; episode 7; and 3 more", "M", "F", "RSS"
    )
    remark = remark_of(finding)
    assert (remark.text, remark.fix, remark.episodes) == ("M", "F", (2, 7))
    hidden = remark_of(Finding("hint", "hidden", "episode 2, “A”", "M", "F", "Apple"))
    assert "an episode" in hidden.text
    assert (hidden.episodes, hidden.field) == ((2,), "")


@ON_ONE_ENGINE
@pytest.mark.parametrize("page", ["doctor", "about"])
def test_no_page_waits_for_the_doctor_or_tells_what_it_said_of_an_older_feed(
    instance: Instance, owner: StudioClient, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    # As if it had thousands of episodes.
    monkeypatch.setattr(diagnoses, "SMALL_BYTES", 0)
    path, asked, hidden = f"{SHOW}/settings/{page}", f'data-ask="{SHOW}/doctor"', "not to list"
    change(instance, {"blocked": True})
    run_due_jobs(instance)
    first = owner.get(path)
    assert asked in first.text
    assert "is looking at the feed" in text_of(first)
    assert hidden not in text_of(first)
    # What the script of the page asks for.
    assert owner.call("GET", f"{SHOW}/doctor").status_code == 200
    known = owner.get(path)
    assert hidden in text_of(known)
    assert asked not in known.text
    change(instance, {"blocked": False})
    run_due_jobs(instance)
    changed = owner.get(path)
    assert asked in changed.text
    assert hidden not in text_of(changed)


@ON_ONE_ENGINE
def test_a_visitor_without_scripts_can_have_a_large_feed_looked_at(
    instance: Instance, owner: StudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnoses, "SMALL_BYTES", 0)
    change(instance, {"blocked": True})
    run_due_jobs(instance)
    page = owner.get(f"{SHOW}/settings/doctor")
    link = re.search(r'href="(/studio/[^"]+/doctor\?[^"]+)"', page.text)
    assert link is not None
    found = owner.get(link[1])
    assert "not to list" in text_of(found)
    assert "data-ask" not in found.text


@ON_ONE_ENGINE
def test_the_doctor_can_look_from_outside(instance: Instance, owner: StudioClient) -> None:
    instance.base_url = "http://127.0.0.1:9"
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    feed_body(instance, show)
    visitor = StudioClient.visit_as(instance, "operator")
    answer = visitor.post(f"{SHOW}/settings/doctor")
    assert answer.status_code == 200
    assert "cannot be reached" in text_of(answer)
    assert "asked just now" in text_of(answer)
    assert visitor.get(f"{SHOW}/settings/doctor").status_code == 200


@ON_ONE_ENGINE
def test_settings_that_are_not_there_are_404(owner: StudioClient) -> None:
    assert owner.get(f"{SHOW}/settings/nothing").status_code == 404
    assert owner.post(f"{SHOW}/settings/nothing", {}).status_code == 404
