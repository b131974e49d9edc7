"""Private links and what guests propose, on both pairs of engines."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from podhost.artwork import add_artwork, prepare_artwork
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import delete_episode, publish_episode
from podhost.errors import Conflict, Gone, Invalid, NotFound, TooManyRequests
from podhost.guests.links import (
    Guest,
    create_link,
    get_link,
    list_links,
    open_link,
    revoke_link,
)
from podhost.guests.proposals import (
    PICTURES_PER_DAY,
    Correction,
    accept,
    decline,
    fields_of,
    find_open,
    list_open,
    propose,
    take_picture,
)
from podhost.instance import Instance
from podhost.models import Artwork, Episode, GuestLink, Person, Show
from podhost.people import CreditInput, PersonLink
from podhost.shows import get_show
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

ANN = CreditInput(name="Ann Ocean", bio="Swims.", url="https://ann.example/")


def make_draft(instance: Instance, *guests: CreditInput) -> tuple[Show, Episode]:
    show = make_show(instance)
    draft = make_episode(instance, show, None, publish=False, guests=list(guests or (ANN,)))
    return show, draft


def person_id(instance: Instance, name: str = "Ann Ocean") -> str:
    with instance.database.read() as session:
        return session.scalars(select(Person.id).where(Person.name == name)).one()


def make_link(instance: Instance, episode: Episode, **given: Any) -> str:
    given.setdefault("person_id", person_id(instance))
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        return create_link(session, row, now=instance.now(), **given)[1]


def opened(instance: Instance, secret: str, *, is_preview: bool = False) -> Guest:
    with instance.database.read() as session:
        guest = open_link(session, secret, is_preview=is_preview, now=instance.now())
        assert guest.credit is None or guest.credit.name
        return guest


def correct(instance: Instance, secret: str, **given: Any) -> str | None:
    with instance.database.write() as session:
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        proposal = propose(session, guest, Correction(**given), now=instance.now())
        return proposal.status if proposal is not None else None


def credit_of(instance: Instance, secret: str) -> Any:
    credit = opened(instance, secret).credit
    assert credit is not None
    return credit


def test_it_opens_a_link_by_its_secret_which_is_not_kept(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)

    assert len(secret) >= 43
    assert opened(instance, secret).episode.id == draft.id
    with instance.database.read() as session:
        link = session.scalars(select(GuestLink)).one()
        assert secret not in {str(value) for value in vars(link).values()}
    for wrong in ("", "x", secret[:-1], secret + "x", "\x00", "ñ" * 40, "\ud800"):
        with pytest.raises(NotFound):
            opened(instance, wrong)


def test_a_guests_secret_opens_no_preview_and_the_other_way_round(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret, preview = make_link(instance, draft), make_link(instance, draft, person_id=None)

    assert opened(instance, preview, is_preview=True).person is None
    with pytest.raises(NotFound):
        opened(instance, secret, is_preview=True)
    with pytest.raises(NotFound):
        opened(instance, preview)


def test_a_link_ends_when_it_is_revoked_or_the_episode_is_deleted(instance: Instance) -> None:
    _, draft = make_draft(instance)
    revoked, other = make_link(instance, draft), make_link(instance, draft)
    with instance.database.write() as session:
        revoke_link(session, opened(instance, revoked).link, now=instance.now())
        row = session.get_one(GuestLink, opened(instance, revoked).link.id)
        revoke_link(session, row, now=instance.now())

    with pytest.raises(Gone, match="ended"):
        opened(instance, revoked)
    assert opened(instance, other).episode.id == draft.id
    with instance.database.read() as session:
        assert len(list_links(session, session.get_one(Episode, draft.id))) == 1
    with instance.database.write() as session:
        delete_episode(session, session.get_one(Episode, draft.id), now=instance.now())
    with pytest.raises(Gone, match="taken away"):
        opened(instance, other)


def test_a_link_ends_ninety_days_after_the_publication(
    instance: Instance, clock: FrozenClock, mp3: Any
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3, publish=False, guests=[ANN])
    secret = make_link(instance, episode)
    clock.advance(days=200)
    with instance.database.write() as session:
        publish_episode(session, session.get_one(Episode, episode.id), now=instance.now())

    clock.advance(days=89)
    assert opened(instance, secret).is_out
    clock.advance(days=1, seconds=1)
    with pytest.raises(Gone):
        opened(instance, secret)
    # One that is made for an old episode is good all the same.
    assert opened(instance, make_link(instance, episode)).is_out


def test_a_link_ends_when_its_maker_said_so(instance: Instance, clock: FrozenClock) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft, expires_at=instance.now() + timedelta(days=2))

    clock.advance(days=1)
    opened(instance, secret)
    clock.advance(days=1)
    with pytest.raises(Gone):
        opened(instance, secret)
    with pytest.raises(Invalid, match="future"):
        make_link(instance, draft, expires_at=instance.now())


def test_a_link_is_made_for_people_of_the_episode_only(instance: Instance) -> None:
    _, draft = make_draft(instance)
    for wrong in (new_id(), "", "\x00"):
        with pytest.raises(NotFound):
            make_link(instance, draft, person_id=wrong)
    with pytest.raises(Invalid, match="email"):
        make_link(instance, draft, email="nobody")


def test_a_link_of_one_episode_cannot_be_got_by_another(instance: Instance) -> None:
    show, draft = make_draft(instance)
    other = make_episode(instance, show, None, "High water", publish=False)
    link = opened(instance, make_link(instance, draft)).link

    with instance.database.read() as session:
        assert get_link(session, session.get_one(Episode, draft.id), link.id).id == link.id
        with pytest.raises(NotFound):
            get_link(session, session.get_one(Episode, other.id), link.id)


def test_what_a_guest_corrects_waits_for_the_host(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)

    assert correct(instance, secret, name="Ann Océan", bio="Swims.", url=None) == "open"

    assert credit_of(instance, secret).name == "Ann Ocean"
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        ((proposal, _),) = list_open(session, row)
        assert fields_of(proposal) == ["name", "url"]
        accept(session, row, proposal, now=instance.now())
        assert proposal.status == "accepted"
    credit = credit_of(instance, secret)
    assert (credit.name, credit.url, credit.bio) == ("Ann Océan", None, "Swims.")
    assert opened(instance, secret).person.name == "Ann Océan"  # type: ignore[union-attr]


def test_a_host_accepts_some_fields_and_declines_others(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)
    links = [
        PersonLink(url="https://sea.social/@ann"),
        PersonLink(url="https://x.com/ann", name="X"),
    ]
    correct(instance, secret, bio="Dives.", url="https://new.example/", links=links)

    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        ((proposal, _),) = list_open(session, row)
        accept(session, row, proposal, ["links"], now=instance.now())
        assert fields_of(proposal) == ["bio", "url"]
        decline(session, row, proposal, ["bio"], now=instance.now())
        assert fields_of(proposal) == ["url"] and proposal.status == "open"
        decline(session, row, proposal, now=instance.now())
        with pytest.raises(Conflict):
            accept(session, row, proposal, now=instance.now())
    credit = credit_of(instance, secret)
    assert (credit.bio, credit.url) == ("Swims.", "https://ann.example/")
    assert credit.links == [
        {"name": "sea.social", "url": "https://sea.social/@ann"},
        {"name": "X", "url": "https://x.com/ann"},
    ]


def test_a_trusted_guest_changes_the_credit_at_once(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft, may_change=True)

    assert correct(instance, secret, bio="Dives.") == "applied"
    assert correct(instance, secret, bio="Dives.") is None

    assert credit_of(instance, secret).bio == "Dives."


def test_a_second_correction_takes_the_place_of_the_first(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)
    correct(instance, secret, bio="Dives.")
    correct(instance, secret, bio="Sails.")

    with instance.database.read() as session:
        ((proposal, _),) = list_open(session, session.get_one(Episode, draft.id))
        assert proposal.wanted == {"bio": "Sails."}
    # As it was: there is nothing to decide any more.
    assert correct(instance, secret, bio="Swims.") is None
    with instance.database.read() as session:
        assert find_open(session, opened(instance, secret).link) is None


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": " \n "},
        {"bio": "x" * 2001},
        {"url": "javascript:alert(1)"},
        {"url": "ann"},
        {"links": [PersonLink(url="data:text/html,x")]},
        {"links": [PersonLink(url="")]},
        {"links": [PersonLink(url="https://a.example/")] * 13},
    ],
)
def test_what_cannot_be_a_credit_is_refused(instance: Instance, given: dict[str, Any]) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)

    with pytest.raises(Invalid) as refused:
        correct(instance, secret, **given)
    assert [name.split("[")[0] for name in refused.value.fields] == [*given]
    with instance.database.read() as session:
        assert not list_open(session, session.get_one(Episode, draft.id))


def test_who_is_no_longer_named_can_change_nothing(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)
    correct(instance, secret, bio="Dives.")
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        change_episode(session, row, EpisodeInput(guests=[]), now=instance.now())

    assert opened(instance, secret).credit is None
    with pytest.raises(Conflict, match="no longer named"):
        correct(instance, secret, bio="Sails.")
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        ((proposal, _),) = list_open(session, row)
        with pytest.raises(Conflict, match="no longer named"):
            accept(session, row, proposal, now=instance.now())


def test_a_link_follows_a_guest_whose_name_the_host_corrects(instance: Instance) -> None:
    _, draft = make_draft(instance, ANN, CreditInput(name="Bob"))
    secret = make_link(instance, draft)
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        people = [CreditInput(name="Anne Océan"), CreditInput(name="Bob")]
        change_episode(session, row, EpisodeInput(guests=people), now=instance.now())

    assert credit_of(instance, secret).name == "Anne Océan"


def test_a_link_does_not_go_to_whoever_takes_the_place(instance: Instance) -> None:
    _, draft = make_draft(instance)
    secret = make_link(instance, draft)
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        other = [CreditInput(name="Charlie Lee")]
        change_episode(session, row, EpisodeInput(guests=other), now=instance.now())

    assert opened(instance, secret).credit is None


def test_a_new_name_of_an_old_guest_goes_on_leading_to_them(instance: Instance) -> None:
    show, draft = make_draft(instance)
    make_episode(instance, show, None, "Earlier", publish=False, guests=[ANN])
    secret = make_link(instance, draft, may_change=True)
    correct(instance, secret, name="Captain Brine")

    again = make_episode(instance, show, None, "Again", publish=False, guests=[ANN])

    with instance.database.read() as session:
        (credit,) = get_episode(session, get_show(session, show.slug), again.id).credits
        assert credit.name == "Ann Ocean"
        assert credit.person_id == credit_of(instance, secret).person_id


def test_a_guest_who_takes_the_name_of_another_one_is_that_one(instance: Instance) -> None:
    show, draft = make_draft(instance, ANN, CreditInput(name="Bob"))
    make_episode(instance, show, None, "Earlier", publish=False, guests=[CreditInput(name="Anna")])
    secret = make_link(instance, draft, may_change=True)

    with pytest.raises(Conflict, match="named in this episode already"):
        correct(instance, secret, name="bob")
    # Only a host knows whether that is so, even where the guest is trusted.
    assert correct(instance, secret, name="Anna", bio="Dives.") == "open"
    assert credit_of(instance, secret).name == "Ann Ocean"
    with instance.database.write() as session:
        row = session.get_one(Episode, draft.id)
        ((proposal, _),) = list_open(session, row)
        accept(session, row, proposal, now=instance.now())

    assert credit_of(instance, secret).name == "Anna"
    assert credit_of(instance, secret).person_id == person_id(instance, "Anna")


def test_a_picture_is_proposed_and_kept_until_it_is_decided(
    instance: Instance, clock: FrozenClock, tmp_path: Any
) -> None:
    from PIL import Image

    from podhost.sweep import remove_unneeded

    _, draft = make_draft(instance)
    secret = make_link(instance, draft)
    Image.new("RGB", (400, 300), "teal").save(tmp_path / "ann.png")
    prepared = prepare_artwork(instance.storage, tmp_path / "ann.png", is_square=False)
    unwanted = prepare_artwork(instance.storage, tmp_path / "ann.png", is_square=False)
    with instance.database.write() as session:
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        artwork = add_artwork(session, prepared, now=instance.now())
        add_artwork(session, unwanted, now=instance.now())
        proposal = propose(session, guest, Correction(), artwork=artwork, now=instance.now())
        assert proposal is not None and fields_of(proposal) == ["picture"]

    clock.advance(days=3)
    remove_unneeded(instance.database, instance.storage, now=instance.now())

    with instance.database.write() as session:
        assert session.get(Artwork, artwork.id) is not None
        assert session.get(Artwork, unwanted.id) is None
        row = session.get_one(Episode, draft.id)
        ((proposal, _),) = list_open(session, row)
        accept(session, row, proposal, now=instance.now())
    assert credit_of(instance, secret).artwork_id == artwork.id


def test_a_link_takes_few_pictures_a_day(instance: Instance, clock: FrozenClock) -> None:
    _, draft = make_draft(instance)
    link = opened(instance, make_link(instance, draft)).link

    for _ in range(PICTURES_PER_DAY):
        take_picture(link, now=instance.now())
    with pytest.raises(TooManyRequests):
        take_picture(link, now=instance.now())
    clock.advance(days=1)
    take_picture(link, now=instance.now())
