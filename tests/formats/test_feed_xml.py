"""Feeds of others: what is mended, what is refused, and what their elements are called."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from podhost.errors import Invalid
from podhost.formats.feed_xml import ReadFeed, name_of, read_feed, text_of

ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
PODCAST = "https://podcastindex.org/namespace/1.0"
UTF8 = '<?xml version="1.0" encoding="UTF-8"?>\n'


def rss(*titles: str, more: str = "", attributes: str = "", before: str = UTF8) -> str:
    items = "".join(
        f"<item><title>{title}</title><guid>{number}</guid>{more}</item>"
        for number, title in enumerate(titles)
    )
    return f'{before}<rss version="2.0"{attributes}><channel>{items}</channel></rss>'


def titles(feed: ReadFeed) -> list[str]:
    return [text_of(element) for element in feed.root.iter() if name_of(element) == "title"]


def declared(encoding: str, title: str = "Größe") -> str:
    return rss(title, before=f'<?xml version="1.0" encoding="{encoding}"?>')


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(rss("Größe").encode(), "Größe", id="utf-8"),
        pytest.param(rss("Größe", before="").encode(), "Größe", id="no-declaration"),
        pytest.param(rss("Größe").encode("utf-8-sig"), "Größe", id="bom"),
        pytest.param(declared("UTF-16").encode("utf-16"), "Größe", id="utf-16"),
        pytest.param(declared("UTF-16").encode("utf-16-be"), "Größe", id="utf-16-without-bom"),
        pytest.param(declared("UTF-32").encode("utf-32"), "Größe", id="utf-32"),
        pytest.param(declared("ISO-8859-1").encode("latin-1"), "Größe", id="latin-1"),
        pytest.param(declared("windows-1252", "“q”").encode("cp1252"), "“q”", id="windows"),
        pytest.param(declared("Shift_JIS", "日本").encode("shift_jis"), "日本", id="shift-jis"),
        pytest.param(declared("US-ASCII").encode(), "Größe", id="ascii-that-is-utf-8"),
        pytest.param(rss("<b>Bold</b> x").encode(), "Bold x", id="markup-in-a-title"),
        pytest.param(rss("<![CDATA[A & <b>]]>").encode(), "A & <b>", id="cdata"),
        pytest.param(rss("a<!-- & -->b").encode(), "ab", id="comment"),
    ],
)
def test_a_feed_that_is_right_is_taken_as_it_is(body: bytes, expected: str) -> None:
    feed = read_feed(body)
    assert (feed.level, feed.repairs, titles(feed)) == ("strict", (), [expected])


@pytest.mark.parametrize(
    ("body", "expected", "said"),
    [
        pytest.param("\n" + rss("x"), "x", "before the beginning", id="line-before"),
        pytest.param("\ufeff\ufeff" + rss("x"), "x", "before the beginning", id="two-boms"),
        pytest.param(
            "<br />\n<b>Warning</b>: in /a.php<br />" + rss("x"), "x", "before", id="warning-of-php"
        ),
        pytest.param(declared("utf8mb4"), "Größe", "utf8mb4", id="unknown-encoding"),
        pytest.param(declared("utf-16"), "Größe", "utf-16", id="utf-16-that-is-not"),
        pytest.param(declared("utf-7", "+ADw-"), "+ADw-", "utf-7", id="utf-7"),
        pytest.param(declared("ISO-8859-1"), "Größe", "is in UTF-8", id="utf-8-called-latin-1"),
        pytest.param(
            declared("ISO-8859-1", "“q”").encode("cp1252"), "“q”", "Windows", id="latin-1-quotes"
        ),
        pytest.param(
            rss("ü AqB").encode().replace(b"A", b"\x93").replace(b"B", b"\x94"),
            "ü “q”",
            "Windows",
            id="bytes-of-windows",
        ),
        pytest.param(rss("Größe").encode("latin-1"), "Größe", "Windows", id="latin-1-unsaid"),
        pytest.param(rss("A&nbsp;x"), "A\u00a0x", "&nbsp;", id="nbsp"),
        pytest.param(rss("caf&eacute; &ngE;"), "café ≧̸", "letters", id="entities"),
        pytest.param(rss("A &nosuch; B &amp; C"), "A &nosuch; B & C", "nobody", id="unknown-name"),
        pytest.param(rss("A & B"), "A & B", "&", id="ampersand"),
        pytest.param(rss("Q&A; a&b=1&#x; &#38;"), "Q&A; a&b=1&#x; &", "&", id="ampersands"),
        pytest.param(rss("A < B"), "A < B", "<", id="less-than"),
        pytest.param(rss("I <3 x </3 <"), "I <3 x </3 <", "<", id="hearts"),
        pytest.param(rss("A ]]> B"), "A ]]> B", "]]>", id="end-of-nothing"),
        pytest.param(rss("A\x0bB"), "AB", "forbids", id="control-character"),
        pytest.param(rss("A&#11;B&#xFFFE;&#9999999999;"), "AB", "forbids", id="references"),
        pytest.param(
            rss("A &amp; B", before="") + "<script>x</script>", "A & B", "after", id="tail"
        ),
        pytest.param(
            rss("x").replace("<rss", '<!DOCTYPE rss PUBLIC "-//N//DTD" "http://a/b.dtd"><rss'),
            "x",
            "DOCTYPE",
            id="doctype",
        ),
        pytest.param(rss("A & <![CDATA[B & <b>]]> C"), "A & B & <b> C", "&", id="beside-cdata"),
        pytest.param(rss("A & <!-- <rss> -- > & -->B"), "A & B", "&", id="beside-a-comment"),
        pytest.param(rss("a<br>b<img src='c'>d<hr/>e</br>f"), "abdef", "<br>", id="br"),
        pytest.param(rss("a<!-- b -- c -->d"), "ad", "Comments", id="comment-with-dashes"),
        pytest.param(rss("A & <![CDATA[B"), "A & <![CDATA[B", "&", id="cdata-without-end"),
    ],
)
def test_a_broken_feed_is_mended_and_its_text_is_whole(
    body: str | bytes, expected: str, said: str
) -> None:
    feed = read_feed(body if isinstance(body, bytes) else body.encode())
    assert (feed.level, titles(feed)) == ("repaired", [expected])
    assert said in " ".join(feed.repairs)


def test_the_charset_of_the_header_counts_where_the_feed_says_nothing() -> None:
    body = rss("Привет", before="").encode("cp1251")
    assert titles(read_feed(body, "text/xml; charset=windows-1251")) == ["Привет"]
    # Servers often say so of feeds in UTF-8.
    body = rss("Привет", before="").encode()
    assert titles(read_feed(body, "text/xml; charset=ISO-8859-1")) == ["Привет"]


@pytest.mark.parametrize(
    "internal", ['<!ENTITY b "boo">', '<!ENTITY b SYSTEM "file:///etc/passwd">']
)
def test_what_a_doctype_defines_is_never_expanded_or_read(internal: str) -> None:
    prolog = f'<?xml version="1.0"?>\n<!-- x --><!DOCTYPE rss [{internal}]>\n'
    feed = read_feed(rss("A&b;", before=prolog).encode())
    assert (feed.level, titles(feed)) == ("repaired", ["A&b;"])


def test_a_doctype_in_utf_16_is_seen_too() -> None:
    prolog = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE rss [<!ENTITY b "boo">]>'
    assert titles(read_feed(rss("A&b;", before=prolog).encode("utf-16"))) == ["A&b;"]


def test_prefixes_without_a_namespace_get_theirs_and_no_item_is_lost() -> None:
    more = "<itunes:duration>5</itunes:duration><odd:tag odd:a='1'/><x:y xmlns:x='urn:x'/>"
    feed = read_feed(rss("one", "two", more=more).encode())
    assert (feed.level, titles(feed)) == ("repaired", ["one", "two"])
    assert "itunes, odd." in feed.repairs[0]
    names = [name_of(element) for element in feed.root.iter()]
    assert names.count("itunes:duration") == names.count("odd:tag") == names.count("x:y") == 2
    assert feed.root.find(f".//{{{ITUNES}}}duration") is not None


def test_what_can_only_be_passed_over_is_told() -> None:
    twice = f' xmlns:itunes="{ITUNES}" xmlns:itunes="{ITUNES}"'
    feed = read_feed(rss("one", "two", attributes=twice).encode())
    assert (feed.level, titles(feed)) == ("recovered", ["one", "two"])
    assert "A mistake was passed over" in feed.repairs[0] and "line 2" in feed.repairs[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"<!DOCTYPE html>\n<html><body><p>x</body></html>", "web page"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "web page"),
        (b"<body><p>404<br>", "web page"),
        (b"<!-- x --><HTML><link rel='alternate' title='<rss>'>", "web page"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "JSON"),
        (b'<opml version="2.0"><body/></opml>', "begins with <opml>"),
        (b"<opml><a & b></opml>", "neither RSS nor Atom"),
        (b"ID3\x04\0\0\0\0\x0f\xff", "no XML"),
        (b"\x1f\x8b\x08\0", "no XML"),
        (b"Not found", "no XML"),
        (rss("one", "two").encode()[:-60], "cut off in the middle"),
        (rss("one", "two").encode()[:-1], "cut off in the middle"),
        (b"<rss", "neither RSS nor Atom"),
        (rss("<p>a<i>b</p>", "two").encode(), "episodes would be lost"),
        (rss("one").replace("guid", "GU ID").encode(), "episodes would be lost"),
        (f"<rss>{'<a>' * 300}{'</a>' * 300}<item><guid/></item></rss>".encode(), "damaged"),
    ],
)
def test_it_says_what_is_no_feed_or_too_damaged(body: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_feed(body)


def test_a_web_page_is_told_by_its_type_too() -> None:
    with pytest.raises(Invalid, match="web page"):
        read_feed(b"<p>Checking your browser", "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("attributes", "tag", "name"),
    [
        ("", "title", "title"),
        ("", "pubdate", "pubDate"),
        ("", "mine", "mine"),
        (f'xmlns:itunes="{ITUNES}"', "itunes:author", "itunes:author"),
        (f'xmlns:i="{ITUNES.upper()}"', "i:author", "itunes:author"),
        ('xmlns:i="https://www.itunes.com/DTDs/PodCast-1.0.dtd"', "i:author", "itunes:author"),
        ('xmlns:i="http://www.itunes.com/dtds/podcast.dtd"', "i:author", "itunes:author"),
        ('xmlns:itunes="urn:wrong"', "itunes:author", "itunes:author"),
        (f'xmlns:podcast="{ITUNES}"', "podcast:author", "itunes:author"),
        (f'xmlns:p="{PODCAST}"', "p:person", "podcast:person"),
        (
            'xmlns:p="https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md"',
            "p:person",
            "podcast:person",
        ),
        ('xmlns:a="http://www.w3.org/2005/Atom"', "a:link", "atom:link"),
        ('xmlns:x="http://podlove.org/simple-chapters/"', "x:chapter", "psc:chapter"),
        ('xmlns:x="http://search.yahoo.com/mrss"', "x:content", "media:content"),
        ('xmlns:x="http://purl.org/rss/1.0/modules/content/"', "x:encoded", "content:encoded"),
        ('xmlns="http://backend.userland.com/rss2"', "title", "title"),
        ('xmlns="http://www.w3.org/2005/Atom"', "title", "atom:title"),
        ('xmlns="urn:none"', "title", "title"),
        ('xmlns:x="{a}&amp;{"', "x:title", "x:title"),
        ('xmlns:acme="urn:acme"', "acme:x", "acme:x"),
        ('xmlns:acme="urn:acme"', f"acme:{'x' * 300}", f"acme:{'x' * 300}"),
    ],
)
def test_an_element_has_its_customary_name(attributes: str, tag: str, name: str) -> None:
    feed = read_feed(f"<rss><channel><{tag} {attributes}>x</{tag}></channel></rss>".encode())
    assert name_of(feed.root[0][0]) == name


def test_the_root_may_be_in_capitals_in_a_namespace_or_of_another_format() -> None:
    assert name_of(read_feed(b"<RSS/>").root) == "rss"
    atom = b'<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>'
    assert [name_of(element) for element in read_feed(atom).root.iter()] == [
        "atom:feed",
        "atom:entry",
    ]
    rdf = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    rdf += b' xmlns="http://purl.org/rss/1.0/"><item/></r:RDF>'
    assert [name_of(element) for element in read_feed(rdf).root.iter()] == ["rdf:RDF", "item"]
    assert name_of(read_feed(b"<rss xmlns='{&amp;}'></rss>").root) == "rss"
    # A mistake that is made: all of RSS is in Atom's namespace.
    wrong = b'<rss xmlns="http://www.w3.org/2005/Atom"><channel><title>x</title></channel></rss>'
    assert [name_of(element) for element in read_feed(wrong).root.iter()] == [
        "rss",
        "channel",
        "title",
    ]


def test_what_is_no_element_has_no_name() -> None:
    assert name_of(etree.Comment("x")) == ""


_PARTS = st.sampled_from(
    [
        *("<", ">", "&", ";", "<rss>", "</rss>", "<item>", "</item>", "<guid>", "</guid>", "'"),
        *("<![CDATA[", "]]>", "<!--", "-->", "<?", "?>", '<?xml version="1.0"?>', "&nbsp;", "a:"),
        *("<!DOCTYPE rss [", "&#0;", "&#x20;", "<a:b", " xmlns:a='", '"', "=", "<br>", "<feed"),
        *("<channel>", "</channel>", "x", " ", "<html", "encoding='utf-16'", "\x0b", "ü", "\ufeff"),
        "\ud800",
    ]
)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(_PARTS, max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "replace")),
        st.lists(_PARTS, max_size=30).map(
            lambda parts: ("<rss>" + "".join(parts) + "</rss>").encode("utf-16", "surrogatepass")
        ),
        st.tuples(st.integers(0, 400), st.binary(max_size=3)).map(
            lambda cut: rss("A &amp; B").encode()[: cut[0]] + cut[1] + rss("x").encode()[cut[0] :]
        ),
    ),
    st.sampled_from(["", "text/xml; charset=ISO-2022-JP", "text/html", "charset=\0"]),
)
def test_any_bytes_are_a_feed_or_refused_with_a_sentence(body: bytes, content_type: str) -> None:
    try:
        feed = read_feed(body, content_type)
    except Invalid as error:
        assert error.message.endswith((".", ").")), error.message
        return
    for element in feed.root.iter(etree.Element):
        assert name_of(element)
    assert (feed.level == "strict") == (not feed.repairs)
    if feed.level != "recovered":
        # What was read can be written and is then right.
        again = read_feed(etree.tostring(feed.root, encoding="utf-8"))
        assert again.level == "strict" and text_of(again.root) == text_of(feed.root)


@pytest.mark.parametrize(
    "hostile", ["<", "&", "<?", "<!--", "<![CDATA[", "]]>", "&#1", "<a:b", "<br", "</rss", "<x a"]
)
def test_hostile_feeds_take_time_in_proportion(hostile: str) -> None:
    """Of a quadratic step, eight times as much would take sixty-four times as long."""

    def seconds(length: int) -> float:
        body = ("<rss>&" + hostile * (length // len(hostile)) + "</rss>").encode()
        begun = time.process_time()
        read_feed(body)
        return time.process_time() - begun

    small = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < 30 * small + 0.1
