"""Show notes: what apps can show comes through, nothing else does, and nothing takes for ever."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from podhost.errors import Invalid
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.markdown import (
    ALLOWED_TAGS,
    MAX_NOTES_BYTES,
    clean_html,
    notes_line,
    notes_text,
    render_notes,
    truncate_html,
)

PAGE = "https://pod.example/tide/episodes/1"


def assert_clean(notes: str) -> None:
    """Check structure and allow-list with another parser than the code's."""
    root = etree.fromstring(f"<div>{notes.replace('<br>', '<br/>')}</div>")
    for element in root.iterdescendants():
        assert element.tag in ALLOWED_TAGS
        if element.tag == "a":
            assert element.keys() == ["href"]
            assert re.match(r"(https?://[!-~]+|mailto:[!-~]+)$", element.get("href"))
            assert not element.xpath("ancestor::a")
        else:
            assert not element.attrib


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("Hello *you*, **there**", "<p>Hello <em>you</em>, <strong>there</strong></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>"),
        (
            "# A\n## B\n### C\n#### D\n###### E",
            "<h2>A</h2>\n<h2>B</h2>\n<h3>C</h3>\n<h3>D</h3>\n<h3>E</h3>",
        ),
        ("<h1>A</h1><h5>B</h5>", "<h2>A</h2><h3>B</h3>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li></ul>"),
        ("3. a", "<ol>\n<li>a</li></ol>"),
        ("> quote", "<blockquote>\n<p>quote</p></blockquote>"),
        ("`a <b>`", "<p><code>a &lt;b&gt;</code></p>"),
        ("```py\nx\n```", "<pre><code>x\n</code></pre>"),
        ("AT&T &amp; a < b", "<p>AT&amp;T &amp; a &lt; b</p>"),
        ("---", ""),
        ("", ""),
        (" \x00 ", ""),
        ("a\x00\ud800b &#11;&#xFFFE;", "<p>ab ��</p>"),
        ("<b></b><p></p><ul><li></li></ul>x", "x"),
        ("<div>one</div><div>two</div>", "one<br>two"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b <br>c"),
        ("<p>a<br></p>", "<p>a</p>"),
        ("x <u>under</u> <span style='color:red'>red</span>", "<p>x under red</p>"),
    ],
)
def test_markdown_becomes_the_few_tags_that_apps_show(markdown: str, expected: str) -> None:
    assert render_notes(markdown) == expected


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[a](https://e.org/x)", '<a href="https://e.org/x">a</a>'),
        ("[a](https://e.org/x 'title')", '<a href="https://e.org/x">a</a>'),
        ("https://e.org/x_y_z", '<a href="https://e.org/x_y_z">https://e.org/x_y_z</a>'),
        ("(https://e.org/a(b)).", '(<a href="https://e.org/a(b)">https://e.org/a(b)</a>).'),
        ("<https://e.org>", '<a href="https://e.org">https://e.org</a>'),
        ("<ann@e.org>", '<a href="mailto:ann@e.org">ann@e.org</a>'),
        ("[a](www.e.org)", '<a href="https://www.e.org">a</a>'),
        ("[a](//e.org/x)", '<a href="https://e.org/x">a</a>'),
        ("[](https://e.org)", '<a href="https://e.org">https://e.org</a>'),
        ("[a](https://ü.example/ö)", '<a href="https://xn--tda.example/%C3%B6">a</a>'),
        ("[a](/x)", '<a href="https://pod.example/x">a</a>'),
        ("[a](2)", '<a href="https://pod.example/tide/episodes/2">a</a>'),
        ("[a](#t)", '<a href="https://pod.example/tide/episodes/1#t">a</a>'),
        ("[a](javascript:alert(1))", "a"),
        ("[a](data:text/html,x)", "a"),
        ("[a](ftp://e.org/)", "a"),
        ("[a]()", "a"),
        ("<a>a</a>", "a"),
        ("<a href='JaVaScRiPt:x' onclick=y>a</a>", "a"),
        ("![alt](https://e.org/a.png)", '<a href="https://e.org/a.png">alt</a>'),
        ("![](https://e.org/a.png)", '<a href="https://e.org/a.png">https://e.org/a.png</a>'),
        ("![alt](data:image/png;base64,x)", "alt"),
        ("[![alt](a.png)](https://e.org)", '<a href="https://e.org">alt</a>'),
        (
            "x <img src=x.png alt='\"<b>' onerror=y>",
            'x <a href="https://pod.example/tide/episodes/x.png">"</a>',
        ),
        ("`https://e.org`", "<code>https://e.org</code>"),
    ],
)
def test_links_are_absolute_or_become_their_text(markdown: str, expected: str) -> None:
    assert render_notes(markdown, base_url=PAGE) == f"<p>{expected}</p>"


def test_characters_that_hide_in_entities_are_removed() -> None:
    assert clean_html("<p>a&#11;b&#x1;c&#xFFFF;d</p>") == "<p>abcd</p>"
    assert clean_html('<a href="https://e.org/&#11;x">a</a>') == '<a href="https://e.org/x">a</a>'


def test_without_a_page_a_relative_link_is_its_text() -> None:
    assert render_notes("[a](/x) ![b](c.png)") == "<p>a b</p>"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<iframe src='https://e.org'>x</iframe>",
        "<form action=x><input name=y></form>",
        "<object data=x>y</object><embed src=z>",
        "<svg onload=alert(1)><script>x</script></svg>",
        "<!-- comment -->",
        "<?php echo 1 ?>",
        "<![CDATA[x]]>",
    ],
)
def test_nothing_that_runs_or_embeds_is_left(hostile: str) -> None:
    assert clean_html(hostile).strip("]>&gt;") in ("", "x")


@pytest.mark.parametrize(
    "hostile",
    [
        ">" * 10_000,
        "> " * 10_000 + "x",
        "[" * 10_000,
        "[" * 40_000,
        "![" * 20_000,
        "[a](" * 12_000,
        "*a " * 16_000,
        "*_" * 20_000,
        "- " * 50_000,
        "<div>" * 25_000,
        "<b>" * 40_000,
        "<ul><li>" * 15_000,
        "<table><tr><td><br>" * 6_000,
        "<p>a" + "<br>" * 30_000 + "b",
        "https://a.b/" + ")" * 90_000,
        "a" + " " * 100_000 + "b",
        "\n".join(" " * (2 * depth) + "- a" for depth in range(300)),
        "`" * 60_000,
        "<" * 100_000,
        "&" * 100_000,
    ],
)
def test_hostile_notes_of_many_kilobytes_end_and_are_clean(hostile: str) -> None:
    notes = render_notes(hostile)
    assert_clean(notes)
    assert len(truncate_html(notes, 4000).encode()) <= 4000
    notes_text(notes)


def test_long_honest_notes_come_through_whole() -> None:
    markdown = ("Some *notes* about [x](https://e.org) and so on. " * 10 + "\n\n") * 200
    assert render_notes(markdown).count("<a ") == 2000


def test_notes_longer_than_allowed_are_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="128 KB"):
        render_notes("ä" * (MAX_NOTES_BYTES // 2 + 1))
    assert render_notes("ä" * (MAX_NOTES_BYTES // 2))


def test_notes_that_unfold_to_megabytes_are_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="same long link"):
        render_notes(f"[a]: https://e.org/{'x' * 1000}\n\n" + "[a]" * 30_000)


HTML_PIECES = r"""
<p> </p> <a_href="https://e.org"> </a> <b> </b> <ul> <li> </ul> <br> <div> </div> <pre> </pre>
<code> </code> <h1> </h1> <img_src=a_alt=b> <table> <tr> <td> </table> <blockquote>
</blockquote> \n\n \n -_ >_ text _ & < > " * ` [x](https://e.org) https://e.org/ é
"""
html_pieces = st.sampled_from(
    [piece.replace(r"\n", "\n").replace("_", " ") for piece in HTML_PIECES.split()]
)


@given(st.lists(html_pieces, max_size=40).map("".join) | st.text(max_size=200), st.integers(0, 200))
def test_any_notes_are_clean_whole_and_cut(source: str, max_bytes: int) -> None:
    notes = render_notes(source, base_url=PAGE)
    assert_clean(notes)
    cut = truncate_html(notes, max_bytes)
    assert_clean(cut)
    assert len(cut.encode()) <= max_bytes
    assert_clean(clean_html(source))


@given(st.text(st.characters(exclude_categories=()), max_size=200), st.integers(0, 100))
def test_cutting_never_fails_on_text_that_is_no_html(text: str, max_bytes: int) -> None:
    assert len(truncate_html(text, max_bytes).encode()) <= max_bytes


@pytest.mark.parametrize(
    ("notes", "max_bytes", "cut"),
    [
        ("<p>abc</p>", 10, "<p>abc</p>"),
        ("<p>abcdef</p>", 12, "<p>ab…</p>"),
        ("<p>ääää</p>", 14, "<p>ää…</p>"),
        ("<p>a&amp;&amp;b</p>", 17, "<p>a&amp;…</p>"),
        ("<p>one two three</p>", 18, "<p>one two…</p>"),
        ("<p>one</p><ul>\n<li>two</li></ul>", 25, "<p>one</p>"),
        ('<p>one <a href="https://e.org">two</a></p>', 30, "<p>one </p>"),
        ("<p>one<br>two</p>", 14, "<p>one</p>"),
        ("<b>ab<br>cdefg</b>", 14, "<b>ab</b>"),
        ("<p>abc</p>", 5, ""),
    ],
)
def test_a_cut_falls_on_a_boundary_and_closes_what_is_open(
    notes: str, max_bytes: int, cut: str
) -> None:
    assert truncate_html(notes, max_bytes) == cut


def test_the_text_of_notes_keeps_paragraphs_lists_and_code() -> None:
    notes = render_notes(
        "# T\none *two*\nthree\n\n- a\n- [b](https://e.org)\n\n```\n  x\n y\n```\nend & so"
    )
    assert notes_text(notes) == "T\n\none two\nthree\n\n- a\n- b\n\n  x\n y\n\nend & so"
    assert "- b (https://e.org)" in notes_text(notes, with_links=True)
    bare = render_notes("https://e.org/")
    assert notes_text(bare, with_links=True) == "https://e.org/"


def test_on_one_line_a_dot_parts_the_items_of_a_list() -> None:
    notes = "<p>Heard: 3 - 2.</p><ul><li>a bell</li><li>a horn<ul><li>far off</li></ul></li></ul>"
    assert notes_line(notes) == "Heard: 3 - 2. · a bell · a horn · far off"
    assert notes_line("<ul><li>a bell</li><li>a horn</li></ul>") == "a bell · a horn"


def test_guests_open_the_notes_with_their_links() -> None:
    ann = NotesGuest("Ann Guest", "https://ann.example/", "Harbour master of Tern Bay.")
    bo, cy = NotesGuest("Bo Bell"), NotesGuest("Cy", "https://cy.example/")
    linked = '<a href="https://ann.example/">Ann Guest</a> (Harbour master of Tern Bay)'
    assert render_guests_html([]) == ""
    assert render_guests_html([ann]) == f"<p>With {linked}.</p>"
    assert render_guests_html([ann, bo]) == f"<p>With {linked} and Bo Bell.</p>"
    assert render_guests_html([bo, ann, cy]) == (
        f'<p>With Bo Bell, {linked} and <a href="https://cy.example/">Cy</a>.</p>'
    )


def test_guests_with_strange_names_and_addresses_are_still_clean() -> None:
    guests = [
        NotesGuest(
            "<b>Ann</b> & \x00Co", "javascript:alert(1)", "<script>x</script> " + "long " * 100
        ),
        NotesGuest(" \x07", "https://nobody.example/"),
        NotesGuest("x" * 500, 'https://e.org/"><b>'),
    ]
    opening = render_guests_html(guests)
    assert_clean(opening)
    assert opening.startswith("<p>With Ann &amp; Co (x long")
    assert "nobody" not in opening
    assert len(opening) < 800


def test_guests_are_introduced_in_the_language_of_the_show():
    guests = [NotesGuest(name="Ann"), NotesGuest(name="Bo"), NotesGuest(name="Cy")]
    assert render_guests_html(guests, language="es-mx") == "<p>Con Ann, Bo y Cy.</p>"
    assert render_guests_html(guests, language="ja") == "<p>Ann, Bo, Cy.</p>"
    assert render_guests_html(guests[:1], language="DE") == "<p>Mit Ann.</p>"


TANGLES = {
    "never closed": "<p>" + "".join(f"<b i={i}>" for i in range(450)) + "</p>" + "<p>x" * 30_000,
    "closed by others": "<div></zzz>" * 11_000,
    "hidden by a table": "".join(f"<b i={i}><table><td></b></table>" for i in range(450))
    + "<p>x" * 25_000,
    "foreign": "<svg>" + "<td>" * 30_000,
    "formulas": "<math>" + "<mi>" * 30_000,
    "objects": "<object></b>" * 10_000,
    "lists": "<ul>" + "<li><b>x" * 90 + "</ul>" + "<p>x" * 30_000,
}


@pytest.mark.parametrize("tangle", TANGLES.values(), ids=TANGLES)
def test_tangled_html_becomes_text_before_it_costs_much(tangle: str) -> None:
    tracemalloc.start()
    try:
        clean = clean_html(tangle)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(clean) < 6 * len(tangle) and peak_bytes < 50_000_000
    assert "<b>" not in clean and "<td>" not in clean


def test_honest_html_is_no_tangle() -> None:
    table = "<table><tr><td><b>Ann</b></td><td><i>Bo<br></i></td></tr></table>"
    sloppy = "<b>Ann <i>and</b> Bo</i><p>next<ul><li>one<li><b>two</b></ul>"
    clean = clean_html((table + sloppy) * 500)
    assert clean.count("<b>Ann</b>") == 500 and clean.count("<li>one</li>") == 500


def test_a_long_link_used_often_is_refused_before_it_is_unfolded() -> None:
    notes = "[a]: /" + "x" * 60_000 + "\n\n" + "[a]" * 20_000
    tracemalloc.start()
    try:
        with pytest.raises(Invalid, match="same long link too often"):
            render_notes(notes)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 200_000_000
