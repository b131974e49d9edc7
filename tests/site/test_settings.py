"""What may be said of a site, without a database."""

import pytest

from podhost.errors import Invalid
from podhost.site.places import link_kind, place_name
from podhost.site.settings import LONGEST_CSS, read_accent, read_css, read_domain


@pytest.mark.parametrize(
    "css",
    [
        "@import 'https://a.example/x.css';",
        "@IMPORT url(x)",
        "p{background:url(https://a.example/x)}",
        "p{background:URL ('https://a.example/x')}",
        "p{background:u\\72l(https://a.example/x)}",
        "p{background:-webkit-image-set('https://a.example/x' 1x)}",
        "p{background:image('https://a.example/x')}",
        "@font-face{font-family:x;src:url(https://a.example/x)}",
        "@font-face{font-family:x;src:src('https://a.example/x')}",
        "@namespace url(https://a.example/)",
        "</style><script>alert(1)</script>",
        "</STYLE >",
        "<!-- -->",
        # What is taken away of texts must not put words together.
        "p{background:ur\x00l(https://a.example/x)}",
        "p{background:ur\x08l(https://a.example/x)}",
        "p{background:ur\udc80l(https://a.example/x)}",
        "<\x00/style><script>",
        "@imp\x00ort 'x'",
        "p{}" * LONGEST_CSS,
    ],
)
def test_a_style_sheet_reaches_nobody(css: str) -> None:
    with pytest.raises(Invalid):
        read_css(css)


@pytest.mark.parametrize(
    "css",
    [
        "",
        "p{",
        "}}} p{color:red",
        "/* " * 100,
        "p{--curl:1}",
        "a[href^='x']::after{content:'→ ✓' attr(title)}",
        "@font-face{font-family:x;src:local(Georgia)}",
        "@media (width<40rem){p{color:var(--accent)}}",
    ],
)
def test_what_spoils_only_ones_own_pages_is_left_to_its_owner(css: str) -> None:
    assert read_css(css) == css.strip()


def test_lines_of_a_style_sheet_end_as_a_browser_reads_them() -> None:
    assert read_css("h1{}\r\np{}\rb{}") == "h1{}\np{}\nb{}"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        (" HTTPS://Tides.Exämple.org/ ", "tides.xn--exmple-cua.org"),
        ("tides.example.", "tides.example"),
        ("例え.jp", "xn--r8jz45g.jp"),
    ],
)
def test_a_domain_is_kept_as_browsers_send_it(text: str, domain: str) -> None:
    assert read_domain(text) == domain


@pytest.mark.parametrize(
    "domain",
    [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "a..example",
        "-a.example",
        "a_b.example",
        "tides.example:8080",
        "http://[",
        "user@tides.example",
        "tides.example/path",
        "tides.example\r\nX: y",
        "a" * 64 + ".example",
        "a." * 130 + "example",
        "*.example.org",
    ],
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(Invalid):
        read_domain(domain)


@pytest.mark.parametrize(
    "colour", ["red", "#fff", "#12345g", "#1234567", "url(x)", "#００００００"]
)
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(Invalid):
        read_accent(colour)


@pytest.mark.parametrize(
    ("url", "name", "kind"),
    [
        ("https://open.spotify.com/show/abc", "Spotify", "listen"),
        ("https://music.youtube.com/x", "YouTube Music", "listen"),
        ("https://www.youtube.com/@x", "YouTube", "video"),
        ("https://notyoutube.com/x", "notyoutube.com", "web"),
        ("https://youtube.com.evil.example/", "youtube.com.evil.example", "web"),
        ("https://www.shop.example/", "shop.example", "web"),
        ("https://pod.example/tides/feed.xml", "RSS", "feed"),
        ("https://chaos.social/@tides", "chaos.social", "web"),
    ],
)
def test_a_link_is_known_by_its_host(url: str, name: str, kind: str) -> None:
    assert (place_name(url), link_kind("", url)) == (name, kind)


def test_a_link_is_known_by_its_name_where_its_host_is_anybodys() -> None:
    assert link_kind("Mastodon", "https://chaos.social/@tides") == "talk"
    assert link_kind("rss", "https://tides.example/podcast") == "feed"
