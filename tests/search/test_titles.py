"""What stands near something else, by the words of titles."""

from pathlib import Path

from podhost.app import create_app
from podhost.instance import Instance
from podhost.models import Episode
from podhost.search.titles import nearest, with_like_titles
from tests.asgi_client import Client
from tests.making import make_episode, make_show


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    titles = {
        "a": "Harbour talk one",
        "b": "Harbour talk two",
        "c": "The lighthouse of Gull Skerry",
        "d": "Nothing alike",
        "e": "Lighthouse harbour",
    }
    words = {"harbour", "lighthouse", "keepers"}
    assert nearest(words, titles, most=9) == ["e", "c", "a", "b"]
    assert nearest(words, titles, most=1) == ["e"]
    assert nearest({"talk"}, {str(number): "Talk" for number in range(30)}, most=3) == []


def test_titles_are_compared_without_case_accents_and_signs(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    for title in ("Percebe: siete olas", "La sal", "100% of %", "A draft of percebe"):
        make_episode(instance, show, mp3, title, publish="draft" not in title)
    table = Episode.__table__
    public = (table.c.show_id == show.id, table.c.status == "published")
    with instance.database.read() as session:
        found = [
            session.get_one(Episode, id_).title
            for title in ("¿Qué come un PERCEBE?", "%%%% ____", "The sal of it", "")
            for id_ in with_like_titles(session, table, title, *public, most=3)
        ]
    assert found == ["Percebe: siete olas"]


def test_an_episode_leads_to_others_with_words_of_its_title(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, "Grinding by the moon")
    make_episode(instance, show, mp3, "What the moon does")
    make_episode(instance, show, mp3, "Salt")
    page = Client(create_app(instance)).get("/tide-tables/episodes/grinding-by-the-moon").text
    related = page[page.index('id="related"') :]
    assert "/tide-tables/episodes/what-the-moon-does" in related
    assert "/tide-tables/episodes/salt" not in related
