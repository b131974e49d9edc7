"""Front matter: where it is, what hostile ones do, and how a value is written into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Conflict, Invalid
from podhost.formats.front_matter import (
    decode_text,
    find_block,
    read_block,
    read_toml,
    read_yaml,
    write_toml_value,
    write_value,
)

GUID = "5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11"


def data_of(text: str) -> dict:
    return read_block(text, find_block(text)).data


def body_of(text: str) -> str:
    return text[find_block(text).body_start :]


def test_yaml_and_toml_say_the_same():
    yaml_text = "---\ntitle: Low water\nguests: [Ann, Bob]\n---\nNotes\n"
    toml_text = '+++\ntitle = "Low water"\nguests = ["Ann", "Bob"]\n+++\nNotes\n'
    assert (
        data_of(yaml_text) == data_of(toml_text) == {"title": "Low water", "guests": ["Ann", "Bob"]}
    )
    assert body_of(yaml_text) == body_of(toml_text) == "Notes\n"


def test_every_yaml_scalar_stays_a_string():
    source = "country: no\nepisode: 010\ntime: 12:30\nday: 2026-03-01\nversion: 1.10\nnull: ~\n"
    assert read_yaml(source).data == {
        "country": "no",
        "episode": "010",
        "time": "12:30",
        "day": "2026-03-01",
        "version": "1.10",
        "null": "~",
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("before", ["", "  \n\n"])
def test_it_is_found_behind_a_byte_order_mark_blank_lines_and_with_any_line_ending(
    newline, mark, before
):
    text = mark + (before + "---\ntitle: Low water\n--- \nNotes\n").replace("\n", newline)
    assert data_of(text) == {"title": "Low water"}
    assert body_of(text) == f"Notes{newline}"


@pytest.mark.parametrize(
    "text", ["", "\n", "Notes only", "# Title\n---\nnot: this\n---\n", "----\na: b\n----\n"]
)
def test_a_text_without_front_matter_has_no_values(text):
    assert find_block(text).syntax == ""
    assert data_of(text) == {}


@pytest.mark.parametrize("text", ["---\n---\n", "---\n# nothing\n---\n", "+++\n+++", "---\n---"])
def test_empty_front_matter_has_no_values(text):
    assert data_of(text) == {}
    assert body_of(text) == ""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("---\ntitle: Low water\n", 1, "never closed"),
        ("\n\n---\ntitle: Low water\n", 3, "never closed"),
        ("+++\na = 1\n---\n", 1, "never closed"),
        ("---\na: b\ntitle: Part 1: Low water\n---\n", 3, "quotes"),
        ("---\na: b\n\ttitle: x\n---\n", 3, "tab"),
        ("---\na: b\na: c\n---\n", 3, "second time"),
        ("---\n- a\n- b\n---\n", 2, "lines like"),
        ("---\njust words\n---\n", 2, "lines like"),
        ("---\na: b\n? [c]\n: d\n---\n", 3, "must be a word"),
        ("+++\na = 1\nb = water\n+++\n", 3, "quotes"),
        ("+++\na = 1\na = 2\n+++\n", 3, "overwrite"),
        ("+++\na = 1\nb = [\n+++\n", 3, "not valid TOML"),
        ("---\na: b\nc: \ud83d\n---\n", 3, "UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_line(text, line, words):
    with pytest.raises(Invalid) as error:
        data_of(text)
    assert error.value.message.startswith(f"Line {line}: ")
    assert words in error.value.message


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    "source",
    [
        BOMB,
        "a: &loop [*loop]\n",
        "a: {b: 1}\nc:\n  <<: *a\n",
        "a: " + "[" * 50_000,
        "a: " + "{a: " * 10_000,
        "- " * 20_000,
        "? " * 20_000,
        "a: [" + "x, " * 20_000 + "]\n",
        "a: " + "x" * 70_000,
        'a: "\\UFFFFFFFF"\n',
        "a: \x00\n",
        "a: b\x07\n",
        "%YAML 9.9\na: b\n",
        "a: b\n...\nc: d\n",
        "a: !!python/object/apply:os.system [true]\nb: *x\n",
        "'" * 60_001,
        "a: \ud800",
    ],
)
def test_hostile_yaml_is_refused_with_a_sentence(source):
    with pytest.raises(Invalid):
        read_yaml(source)


@pytest.mark.parametrize(
    "source",
    [
        "a = " + "[" * 50_000,
        "a = " + "{a=" * 15_000,
        "a." * 30_000 + "a = 1",
        "[" + "a." * 30_000 + "a]\nb = 1",
        '"a".' * 10_000 + "a = 1",
        "a = " + "9" * 5_000,
        "a = 2026-02-30",
        "a = '\x00'",
        'a = "\\ud800"',
        "a = '" + "x" * 70_000 + "'",
        "a = '\ud800'",
    ],
)
def test_hostile_toml_is_refused_with_a_sentence(source):
    with pytest.raises(Invalid):
        read_toml(source)


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_gives_values_or_a_sentence(text):
    for candidate in (text, f"---\n{text}\n---\n", f"+++\n{text}\n+++\n"):
        try:
            data_of(candidate)
        except Invalid as error:
            assert error.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfea\x00", "UTF-16"),
        (b"one\ntwo\xe9\n", "Line 2"),
        (b"ID3\x04\x00\x00", "zero bytes"),
        (b"x" * (2 * 1024 * 1024 + 1), "larger"),
    ],
)
def test_bytes_that_are_no_utf8_text_are_refused(data, words):
    with pytest.raises(Invalid, match=words):
        decode_text(data)


def test_decoding_keeps_every_byte():
    data = "\ufeff---\r\ntitle: Ebbe und Flut – ø\r\n---\r\n".encode()
    assert decode_text(data).encode() == data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\ntitle: a\n---\nNotes\n", f"---\ntitle: a\nguid: {GUID}\n---\nNotes\n"),
        (
            "\ufeff---\r\ntitle: a # why\r\n---\r\n\r\nNotes",
            f"\ufeff---\r\ntitle: a # why\r\nguid: {GUID}\r\n---\r\n\r\nNotes",
        ),
        ("---\n  title: a\n---\n", f"---\n  title: a\n  guid: {GUID}\n---\n"),
        ("---\nbio: |\n  one\n\n---\n", f"---\nbio: |\n  one\n\nguid: {GUID}\n---\n"),
        ("---\n---\nNotes", f"---\nguid: {GUID}\n---\nNotes"),
        ("---\n# later\n---\n", f"---\n# later\nguid: {GUID}\n---\n"),
        ("---\nguid:\ntitle: a\n---\n", f"---\nguid: {GUID}\ntitle: a\n---\n"),
        (
            "---\nguid:   # podhost fills this\ntitle: a\n---\n",
            f"---\nguid: {GUID} # podhost fills this\ntitle: a\n---\n",
        ),
        ("---\nguid: ''\r\n---\r\n", f"---\nguid: {GUID}\r\n---\r\n"),
        (
            "---\nguests:\n  - name: a\n    guid: \n---\n",
            f"---\nguests:\n  - name: a\n    guid: \nguid: {GUID}\n---\n",
        ),
        ('+++\ntitle = "a"\n+++\n', f'+++\ntitle = "a"\nguid = "{GUID}"\n+++\n'),
        (
            '+++\ntitle = "a"\n\n# who\n[[guests]]\nname = "b"\n+++\n',
            f'+++\ntitle = "a"\nguid = "{GUID}"\n\n# who\n[[guests]]\nname = "b"\n+++\n',
        ),
        ('+++\nguid = ""\n+++\n', f'+++\nguid = "{GUID}"\n+++\n'),
        ("Notes\n", f"---\nguid: {GUID}\n---\n\nNotes\n"),
        ("\ufeffNotes\r\n", f"\ufeff---\r\nguid: {GUID}\r\n---\r\n\r\nNotes\r\n"),
        ("", f"---\nguid: {GUID}\n---\n"),
    ],
)
def test_a_guid_is_written_and_nothing_else_is_touched(before, after):
    assert write_value(before, "guid", GUID) == after
    assert write_value(after, "guid", GUID) == after


def test_a_value_that_differs_is_never_overwritten():
    with pytest.raises(Conflict):
        write_value("---\nguid: other\n---\n", "guid", GUID)


def test_a_file_with_a_mistake_is_not_written_to():
    with pytest.raises(Invalid):
        write_value("---\ntitle: a: b\n---\n", "guid", GUID)
    with pytest.raises(Invalid, match="by hand"):
        write_value("---\n{title: a}\n---\n", "guid", GUID)


# Front matter as people write it: keys with plain words, in either syntax.
WORDS = st.text("abc äß#:'\"-", min_size=1, max_size=12)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda key: key != "guid")


@given(st.dictionaries(KEYS, WORDS, max_size=4), WORDS, st.sampled_from(["\n", "\r\n"]))
def test_any_value_can_be_read_back_and_the_rest_stays(values, value, newline):
    quoted = {key: "'" + text.replace("'", "''") + "'" for key, text in values.items()}
    lines = ["---", *(f"{key}: {text}" for key, text in quoted.items()), "---", "", "Notes", ""]
    text = newline.join(lines)
    written = write_value(text, "guid", value)
    assert data_of(written) == {**values, "guid": value}
    removed = [line for line in written.split(newline) if not line.startswith("guid:")]
    assert newline.join(removed) == text


def test_show_values_stand_before_the_first_table():
    before = '\ufeff# mine\r\ntitle = "a"\r\n\r\n[[people]]\r\nname = "b"\r\n'
    after = '\ufeff# mine\r\ntitle = "a"\r\npodcast_guid = "x"\r\n\r\n[[people]]\r\nname = "b"\r\n'
    assert write_toml_value(before, "podcast_guid", "x") == after
    assert write_toml_value(after, "podcast_guid", "x") == after
    with pytest.raises(Conflict):
        write_toml_value(after, "podcast_guid", "y")
