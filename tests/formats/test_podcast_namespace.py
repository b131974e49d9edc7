"""Show guids by the namespace's own examples, and people's roles by the taxonomy."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from podhost.errors import Invalid
from podhost.formats.podcast_namespace import (
    PERSON_GROUPS,
    PERSON_ROLES,
    normalise_role,
    podcast_guid,
    rfc822_date,
)


@pytest.mark.parametrize(
    ("address", "guid"),
    [
        ("mp3s.nashownotes.com/pc20rss.xml", "917393e3-1b1e-5cef-ace4-edaa54e1f810"),
        ("podnews.net/rss", "9b024349-ccf0-5f69-a609-6b82873eab3c"),
        ("feeds.example.com/my-show/feed.xml", "f6cd2e71-ff23-50c9-b34c-281d25406161"),
        ("example.com/feed.xml?format=mp3", "43b6ea11-4a67-5869-aa39-1d18459a6e7e"),
        ("pod.example/tide/feed.xml", "3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5"),
    ],
)
@pytest.mark.parametrize("scheme", ["https://", "http://", ""])
@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_guid_depends_on_the_address_without_scheme_and_slashes_at_its_end(
    address: str, guid: str, scheme: str, slashes: str
) -> None:
    assert podcast_guid(scheme + address + slashes) == guid


def test_a_slash_at_the_end_never_counts() -> None:
    assert podcast_guid("https://podnews.net/rss/") != "7b93d1cd-0057-55fc-a67d-521e20835416"


def test_nothing_else_of_the_address_is_changed() -> None:
    guids = {
        podcast_guid(f"https://{address}")
        for address in (
            "pod.example/a",
            "POD.example/a",
            "pod.example/A",
            "pod.example/a?",
            "pod.example//a",
        )
    }
    assert len(guids) == 5


def test_the_taxonomy_has_all_groups_and_their_roles() -> None:
    assert len(PERSON_GROUPS) == 11
    assert set(PERSON_ROLES.values()) == set(PERSON_GROUPS)
    assert PERSON_ROLES["editor"] == "writing"
    for role, group in PERSON_ROLES.items():
        assert normalise_role(role.upper(), None) == (role, group)
        assert normalise_role(role, group.title()) == (role, group)


@pytest.mark.parametrize(
    ("role", "group", "expected"),
    [
        (None, None, ("host", "cast")),
        ("", " ", ("host", "cast")),
        (None, "Cast", ("host", "cast")),
        ("Guest", None, ("guest", "cast")),
        ("Cohost", None, ("co-host", "cast")),
        ("co host", "", ("co-host", "cast")),
        ("Editor", "Video Post-Production", ("editor", "video post-production")),
        ("intern", "Misc", ("intern", "misc.")),
    ],
)
def test_roles_are_found_without_regard_to_case_and_hyphens(
    role: str | None, group: str | None, expected: tuple[str, str]
) -> None:
    assert normalise_role(role, group) == expected


@pytest.mark.parametrize(
    ("role", "group", "sentence"),
    [
        ("gest", None, "“guest”"),
        ("Sound engineer", None, "“audio engineer”"),
        ("guest", "castt", "“cast”"),
        ("guest", "writing", "belongs to the group “cast”"),
        (None, "writing", "needs a role"),
        ("\x00zzz<b>", None, "no role “zzz”"),
    ],
)
def test_a_role_that_the_taxonomy_does_not_have_is_refused_with_a_sentence(
    role: str | None, group: str | None, sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        normalise_role(role, group)
    assert sentence in refused.value.message


def test_dates_are_written_in_english_and_gmt() -> None:
    assert rfc822_date(datetime(2024, 3, 5, 9, 5, tzinfo=UTC)) == "Tue, 05 Mar 2024 09:05:00 GMT"
    nepal = timezone(timedelta(hours=5, minutes=45))
    assert rfc822_date(datetime(2024, 1, 1, 0, 0, tzinfo=nepal)) == "Sun, 31 Dec 2023 18:15:00 GMT"
