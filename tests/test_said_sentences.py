"""What the domain says in English, with values in it, is said in the visitor's language."""

import pytest

from podhost.formats.audio import EXPORT_MP3
from podhost.formats.probe import FRAGMENTED, INDEX_LAST
from podhost.instance import Instance
from podhost.translations import Words, words
from tests.studio_client import StudioClient, text_of

SPANISH = Words(
    "es",
    {
        "It is missing.": "Falta.",
        "There is no show %(slug)s here.": "Aquí no hay ningún pódcast %(slug)s.",
        "There is no %(thing)s here.": "Aquí no hay %(thing)s.",
        "%(value)s is no language.": "%(value)s no es un idioma.",
        "%(host)s answers %(status)s.": "%(host)s responde %(status)s.",
        "%(sentence)s Nothing was stored.": "%(sentence)s No se ha guardado nada.",
        "The file is %(content)s.": "El archivo es %(content)s.",
        "Nobody can read it. %(reason)s": "Nadie puede leerlo. %(reason)s",
        "a web page": "una página web",
        "%(a)s of %(b)s.": "%(b)s, %(a)s.",
        "100%% of %(name)s arrived.": "Ha llegado el 100%% de %(name)s.",
    },
)


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("It is missing.", "Falta."),
        ("There is no show news here.", "Aquí no hay ningún pódcast news."),
        ("There is no cake here.", "Aquí no hay cake."),
        ("'x y' is no language.", "'x y' no es un idioma."),
        ("example.org answers 404.", "example.org responde 404."),
        ("title: It is missing.", "title: Falta."),
        ("title: It is missing. a[0].b: It is missing.", "title: Falta. a[0].b: Falta."),
        ("It is missing. Nothing was stored.", "Falta. No se ha guardado nada."),
        ("It is missing. There is no cake here.", "Falta. Aquí no hay cake."),
        ("The file is a web page.", "El archivo es una página web."),
        ("100% of it arrived.", "Ha llegado el 100% de it."),
        (
            "Nobody can read it. pod.example answers 404.",
            "Nadie puede leerlo. pod.example responde 404.",
        ),
        # Values are nobody's words, and may look like places.
        ("There is no show %(slug)s\\1 here.", "Aquí no hay ningún pódcast %(slug)s\\1."),
        ("Nobody knows this.", "Nobody knows this."),
        ("", ""),
        ("There is no ", "There is no "),
    ],
)
def test_a_sentence_is_said_with_its_values(english: str, spanish: str) -> None:
    assert SPANISH.said(english) == spanish


def test_english_stays_as_it_is() -> None:
    assert words("en").said("There is no show %(slug)s here.") == "There is no show %(slug)s here."


@pytest.mark.parametrize("piece", ["x: ", "is no language. ", "There is no show ", "of "])
def test_a_long_text_of_somebody_is_left_alone_soon(piece: str) -> None:
    for text in (piece * 1_000, piece * 100_000):
        assert isinstance(SPANISH.said(text), str)


def test_the_studios_scripts_read_their_language(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    headers = {"Accept-Language": "es"}
    said = visitor.call("POST", "/shows", json={"slug": "news"}, headers=headers)
    assert said.json()["error"]["fields"] == {"title": "Un pódcast necesita un título."}
    made = visitor.call("POST", "/shows", json={"title": "X", "slug": "x"}, headers=headers)
    assert made.status_code == 201, made.text
    assert any("Apple Podcasts pide una categoría" in each for each in made.json()["warnings"])
    gone = visitor.call("GET", "/shows/cake", headers=headers)
    assert gone.headers["vary"] == "Accept-Language, Cookie"
    assert gone.json()["error"]["message"] == "Aquí no hay ningún pódcast 'cake'."
    english = visitor.call("GET", "/shows/cake")
    assert english.json()["error"]["message"] == "There is no show 'cake' here."


def test_a_page_says_what_is_wrong_in_its_language(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    page = visitor.get("/shows/cake/settings", headers={"Accept-Language": "es"})
    assert page.status_code == 404
    assert "Aquí no hay ningún pódcast" in text_of(page)


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        (
            "This file is not audio that podcast apps can play: the name says mp3, the content is "
            f"a web page. {EXPORT_MP3}",
            "Este archivo no es audio que las aplicaciones de pódcast puedan reproducir: el nombre "
            "dice mp3, el contenido es una página web. Exporta el episodio como MP3",
        ),
        (INDEX_LAST, "El índice de este archivo M4A está al final"),
        (FRAGMENTED, "Este archivo M4A está fragmentado"),
        ("The new feed cannot be read: example.org broke the connection off.", "example.org cortó"),
        ("people[0].name: It must not be empty.", "people[0].name: No "),
    ],
)
def test_sentences_of_the_domain_are_whole_in_spanish(english: str, spanish: str) -> None:
    said = words("es").said(english)
    assert spanish in said
    assert not {"the", "is", "of", "it"} & set(said.lower().split())


def test_programs_read_english(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    headers = {"Accept-Language": "es", "Authorization": "Bearer nonsense"}
    said = visitor.call("GET", "/shows", headers=headers)
    assert said.json()["error"]["message"].startswith("This token is not known here")
