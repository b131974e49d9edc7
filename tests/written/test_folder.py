"""The written side as plain files: what a folder says is published, and written out again."""

from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from podhost.artwork import add_artwork, prepare_artwork
from podhost.commands import publish_folder
from podhost.errors import Invalid
from podhost.exports.shows import export_show
from podhost.feeds import hubs
from podhost.folders import describe, plan_show
from podhost.formats.written_files import (
    ArticleFile,
    PageFile,
    read_article,
    read_page,
    render_article_file,
    render_page_file,
)
from podhost.instance import Instance
from podhost.models import Article, Page, Show, Sponsor, WrittenSlug
from podhost.shows import get_show
from podhost.written.answers import article_answer, page_answer, sponsor_answer
from podhost.written.articles import ArticleInput, change_article, set_article_picture
from podhost.written.publishing import delete_article, withdraw_article
from podhost.written.reading import find_article
from podhost.written.sponsors import set_sponsor_logo
from tests.conftest import FrozenClock
from tests.making import another_podhost, export_of, make_episode, make_show
from tests.written.making import make_article, make_page, make_sponsor

ARTICLE = """---
title: "Why the tide turns"
date: 2026-03-01 09:00
updated: 2026-03-03
authors:
  - name: Ann Ocean
    bio: Sails.
    image: guests/ann.png
  - Bo Bell
categories: [Science, "Küste"]
picture_alt: A wave.
---

It **turns**.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small show with articles, pages and sponsors."""
    root = tmp_path / "tide-tables"
    for name in ("articles", "pages", "guests"):
        (root / name).mkdir(parents=True)
    Image.new("RGB", (64, 64), "teal").save(root / "guests" / "ann.png")
    Image.new("RGB", (160, 90), "navy").save(root / "articles" / "001-tides.png")
    (root / "show.toml").write_text(
        'title = "Tide Tables"\ntime_zone = "Europe/Madrid"\n'
        '[[sponsors]]\nname = "Salt & Sons"\nlogo = "guests/ann.png"\n'
        "starts_on = 2026-03-01\nin_notes = true\n"
        '[[sponsors]]\nname = "Rope"\n'
    )
    (root / "articles" / "001-tides.md").write_text(ARTICLE)
    (root / "articles" / "002-draft.md").write_text("Only words.\n")
    (root / "pages" / "about.md").write_text("---\nmenu: top\n---\nWe sail.\n")
    return root


def publish(instance: Instance, folder: Path) -> list[str]:
    """Publish it, and say what was done; a second time nothing is left to do."""
    said: list[str] = []
    assert publish_folder(instance, folder, dry_run=False, say=said.append), said
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    assert not plan.has_work, describe(plan)
    return said


def article(instance: Instance, slug: str) -> Article:
    with instance.database.read() as session:
        return session.scalars(select(Article).where(Article.slug == slug)).one()


def told(instance: Instance) -> dict[str, object]:
    """All that programs are told of the written side, but for what is another podhost's own."""
    with instance.database.read() as session:
        show = session.scalars(select(Show)).one()
        base_url = instance.base_url
        articles = [
            article_answer(session, show, row, base_url)
            for row in session.scalars(select(Article).order_by(Article.slug))
            if row.deleted_at is None
        ]
        pages = [
            page_answer(show, row, base_url)
            for row in session.scalars(select(Page).order_by(Page.slug))
        ]
        sponsors = [
            sponsor_answer(session, row, base_url)
            for row in session.scalars(select(Sponsor).order_by(Sponsor.position))
        ]
        for answer in articles + pages:
            answer.version, answer.created_at, answer.changed_at = (
                0,
                show.created_at,
                show.created_at,
            )
            if hasattr(answer, "authors"):
                for author in answer.authors:
                    author.id = ""
        for answer in sponsors:
            answer.id = ""
            answer.created_at = answer.changed_at = show.created_at
        old = sorted((row.kind, row.slug) for row in session.scalars(select(WrittenSlug)))
    return {"articles": articles, "pages": pages, "sponsors": sponsors, "old": old}


def test_a_folder_is_published_and_only_what_changed_changes(
    instance: Instance, folder: Path
) -> None:
    done = publish(instance, folder)[-1]
    assert (
        "2 articles created" in done and "1 page created" in done and "1 article published" in done
    )
    values = told(instance)
    tides, draft = sorted(values["articles"], key=lambda each: each.status, reverse=True)  # type: ignore[call-overload]
    assert (tides.slug, tides.status, draft.slug, draft.status) == (
        *("tides", "published"),
        *("draft", "draft"),
    )
    assert tides.published_at.isoformat() == "2026-03-01T08:00:00+00:00"
    assert tides.updated_at.isoformat() == "2026-03-02T23:00:00+00:00"
    assert [author.name for author in tides.authors] == ["Ann Ocean", "Bo Bell"]
    assert tides.authors[0].image_url and tides.picture_url.endswith("/160.jpg")
    (page,) = values["pages"]  # type: ignore[misc]
    assert (page.slug, page.title, page.menu, page.status) == (  # type: ignore[has-type]
        *("about", "about", "top", "published"),
    )

    path = folder / "articles" / "001-tides.md"
    path.write_text(ARTICLE.replace("It **turns**", "Otherwise").replace("Sails.", "Dives."))
    (folder / "show.toml").write_text('title = "Tide Tables"\ntime_zone = "Europe/Madrid"\n')
    assert publish(instance, folder)[-1].startswith("Done: 1 article changed.")
    assert article(instance, "tides").text == "Otherwise."
    # Without the key, the show keeps its sponsors.
    assert len(told(instance)["sponsors"]) == 2  # type: ignore[arg-type]


def test_a_file_that_loses_its_date_is_withdrawn_and_one_that_is_renamed_leads_on(
    instance: Instance, folder: Path
) -> None:
    publish(instance, folder)
    path = folder / "articles" / "001-tides.md"
    renamed = ARTICLE.replace("---\n", "---\nslug: moon\nold_slugs: [tides, ebb]\n", 1)
    path.write_text(renamed)
    publish(instance, folder)
    assert article(instance, "moon").status == "published"
    assert told(instance)["old"] == [("article", "ebb"), ("article", "tides")]
    path.write_text(renamed.replace("ebb]", "ebb, flood]"))
    publish(instance, folder)
    assert ("article", "flood") in told(instance)["old"]  # type: ignore[operator]
    path.write_text(renamed.replace("date: 2026-03-01 09:00\n", ""))
    publish(instance, folder)
    assert article(instance, "moon").status == "withdrawn"


def test_what_was_deleted_here_stays_so_and_what_is_wrong_is_said(
    instance: Instance, folder: Path
) -> None:
    publish(instance, folder)
    with instance.database.write() as session:
        row = session.scalars(select(Article).where(Article.slug == "draft")).one()
        delete_article(session, row, now=instance.now())
    (folder / "pages" / "about.md").write_text("---\nmenu: left\n---\n")
    (folder / "pages" / "more.md").write_text("---\nslug: more\nalso: x\n---\n")
    (folder / "articles" / "003.md").write_text("---\nslug: tides\n---\nx")
    said: list[str] = []
    assert not publish_folder(instance, folder, dry_run=True, say=said.append)
    shown = "\n".join(said)
    for words in (
        "002-draft.md: This article was deleted here",
        "pages/about.md: Line 2: “menu” can be top, foot, none",
        "pages/more.md: Line 3: podhost does not know the key “also”",
        "articles/003.md: It has the same slug as articles/001-tides.md: tides.",
    ):
        assert words in shown
    (folder / "show.toml").write_text('title = "T"\n[[sponsors]]\nname = "A"\nlogo = "../x.png"\n')
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    assert "logo" in plan.problems[0]


def test_an_export_published_elsewhere_says_all_the_same(
    instance: Instance, clock: FrozenClock, tmp_path: Path, migrated_sqlite: Path
) -> None:
    show = make_show(instance, time_zone="Europe/Madrid")
    with instance.database.write() as session:
        session.get_one(Show, show.id).artwork_id = None
    episode = make_episode(instance, show, None, publish=False)
    spoken = make_article(
        instance,
        show,
        authors=("Ann Ocean", "Bo: “Bell”"),
        categories=["Science", "Küste, Meer"],
        summary="One.\n\nTwo: yes.",
        episode=episode.slug,
        updated_at="2026-03-06T10:00",
        picture_credit="© Ann",
    )
    withdrawn = make_article(instance, show, "Withdrawn")
    make_article(instance, show, "Draft", publish=False, text="---\nno: front matter\n---")
    make_article(instance, show, "To come", at=clock.time.replace(year=2027))
    make_page(instance, show, "About", menu="top", position=7)
    make_page(instance, show, "Draft", status="draft")
    sponsor = make_sponsor(instance, show, "Salt", text="A\nB", ends_on="2026-04-01", in_notes=True)
    path = tmp_path / "wave.png"
    Image.new("RGB", (160, 90), "navy").save(path)
    picture = prepare_artwork(instance.storage, path, is_square=False)
    with instance.database.write() as session:
        now, held = instance.now(), get_show(session, show.slug, lock=True)
        artwork = add_artwork(session, picture, now=now)
        row = session.get_one(Article, spoken.id)
        set_article_picture(session, row, artwork, now=now)
        change_article(session, held, row, ArticleInput(slug="tides"), now=now)
        set_sponsor_logo(session, held, session.get_one(Sponsor, sponsor.id), artwork, now=now)
        withdraw_article(session, session.get_one(Article, withdrawn.id), now=now)
    target = tmp_path / "out" / "tide-tables"
    export_of(instance, show.slug, target)
    with another_podhost(instance, tmp_path / "elsewhere", migrated_sqlite, clock) as other:
        publish(other, target)
        there = told(other)
        for answer in there["articles"]:  # type: ignore[attr-defined]
            assert bool(answer.episode) == (answer.slug == "tides")
        here = told(instance)
        assert there == here
    # The show that was written out has nothing to take from its own files.
    plan = plan_show(instance.database, target, base_url=instance.base_url, now=instance.now())
    assert not any(step.has_work for step in plan.written), describe(plan)


def test_what_the_file_of_a_draft_says_of_an_author_waits_for_its_date(
    instance: Instance, folder: Path, tmp_path: Path
) -> None:
    draft, secret = folder / "articles" / "002-draft.md", "Minister, from May."
    said = f"authors:\n  - name: Ann Ocean\n    bio: {secret}\n---\nOnly words.\n"
    draft.write_text(f"---\n{said}")
    publish(instance, folder)

    def told_of_ann() -> str:
        with instance.database.read() as session:
            found = find_article(session, get_show(session, "tide-tables").id, "tides")
            return found.card.authors[0].bio

    assert told_of_ann() == "Sails."
    target = tmp_path / "out" / "tide-tables"
    export_show(
        *(instance.database, instance.storage, "tide-tables", target),
        site=hubs.site_of(instance),
        now=instance.now(),
    )
    out = {path.stem: path.read_text() for path in (target / "articles").glob("*.md")}
    assert secret not in out["tides"] and secret in out["draft"]
    draft.write_text(f"---\ndate: 2026-03-02\n{said}")
    publish(instance, folder)
    assert told_of_ann() == secret


def test_every_value_of_a_file_is_read_back() -> None:
    page = PageFile(title="A: b", slug="a", old_slugs=("c",), menu="foot", position=3, text="# x")
    assert read_page(render_page_file(page)) == page
    article = ArticleFile(title='"', summary="a\nb", categories=("x", "y: z"), status="draft")
    assert read_article(render_article_file(article)) == article
    with pytest.raises(Invalid, match="write “authors”"):
        read_article("---\nauthor: Ann\n---\n")
