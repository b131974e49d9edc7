"""Pictures of any kind become the JPEG files that apps ask for, and bombs become sentences."""

import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageColor, ImageDraw, PngImagePlugin

from podhost.errors import Invalid
from podhost.formats.artwork import Crop, inspect_and_render, render_placeholder

RED, WHITE, BLUE = (200, 30, 40), (255, 255, 255), (20, 60, 200)


@pytest.fixture
def workdir(tmp_path):
    folder = tmp_path / "rendered"
    folder.mkdir()
    return folder


def saved(tmp_path, image, name="artwork.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def main_of(artwork):
    with Image.open(artwork.files[0].path) as image:
        image.load()
        return image


def is_near(pixel, wanted):
    return all(abs(a - b) <= 6 for a, b in zip(pixel, wanted, strict=True))


def check_is_fit_for_apps(artwork):
    """What Apple asks of artwork, checked on the files themselves."""
    assert artwork.mime_type == "image/jpeg"
    assert [file.size_px for file in artwork.files] == sorted(
        {file.size_px for file in artwork.files}, reverse=True
    )
    for file in artwork.files:
        assert file.path.name == f"{file.size_px}.jpg"
        assert file.size_bytes == file.path.stat().st_size
        with Image.open(file.path) as image:
            image.load()
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert max(image.size) == file.size_px
            assert image.info["dpi"] == (72, 72)
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
            assert not image.getexif()
    assert main_of(artwork).size == (artwork.width, artwork.height)


def test_large_artwork_is_given_in_all_sizes(tmp_path, workdir):
    path = saved(tmp_path, Image.new("RGB", (3200, 3200), RED), "a.jpg")
    artwork = inspect_and_render(path, workdir)
    assert [file.size_px for file in artwork.files] == [3000, 1400, 600, 300, 150]
    assert artwork.warnings == []
    assert is_near(main_of(artwork).getpixel((9, 9)), RED)
    check_is_fit_for_apps(artwork)


@pytest.mark.parametrize(
    ("background", "spot", "wanted"), [("white", RED, RED), ("#777777", "black", None)]
)
def test_the_colour_that_strikes_most_is_told(tmp_path, workdir, background, spot, wanted):
    picture = Image.new("RGB", (1400, 1400), background)
    picture.paste(spot, (300, 300, 900, 900))
    found = inspect_and_render(saved(tmp_path, picture, "a.png"), workdir).colour
    if wanted is None:
        assert found == ""
    else:
        assert is_near(ImageColor.getrgb(found), wanted)


@pytest.mark.parametrize("side", [1400, 2000])
def test_artwork_is_never_scaled_up(tmp_path, workdir, side):
    artwork = inspect_and_render(saved(tmp_path, Image.new("RGB", (side, side))), workdir)
    assert artwork.width == artwork.files[0].size_px == side
    check_is_fit_for_apps(artwork)


def test_small_artwork_is_refused_with_its_size(tmp_path, workdir):
    path = saved(tmp_path, Image.new("RGB", (900, 900)))
    with pytest.raises(Invalid) as caught:
        inspect_and_render(path, workdir)
    assert caught.value.message == (
        "Apple Podcasts needs at least 1400 by 1400 pixels; this picture has 900 by 900."
    )
    assert list(workdir.iterdir()) == []


def test_oblong_artwork_is_refused(tmp_path, workdir):
    path = saved(tmp_path, Image.new("RGB", (3000, 2000)))
    with pytest.raises(Invalid, match="square; this picture has 3000 by 2000"):
        inspect_and_render(path, workdir)


def test_nearly_square_artwork_is_cropped(tmp_path, workdir):
    artwork = inspect_and_render(saved(tmp_path, Image.new("RGB", (1500, 1490))), workdir)
    assert (artwork.width, artwork.height) == (1490, 1490)
    assert "1500 by 1490" in artwork.warnings[0]


@pytest.mark.parametrize("options", [{"square": False}, {"minimum": 0}])
def test_pictures_of_people_may_have_any_shape(tmp_path, workdir, options):
    path = saved(tmp_path, Image.new("RGB", (2000, 1000), BLUE))
    artwork = inspect_and_render(path, workdir, **options)
    assert (artwork.width, artwork.height) == (1400, 700)
    assert [file.size_px for file in artwork.files] == [1400, 600, 300, 150]
    check_is_fit_for_apps(artwork)


def test_a_tiny_or_thin_picture_still_has_pixels(tmp_path, workdir):
    artwork = inspect_and_render(
        saved(tmp_path, Image.new("RGB", (9000, 1))), workdir, square=False
    )
    assert (artwork.width, artwork.height) == (1400, 1)
    artwork = inspect_and_render(saved(tmp_path, Image.new("RGB", (1, 1))), workdir, square=False)
    assert [file.size_px for file in artwork.files] == [1]


@pytest.mark.parametrize(
    ("mode", "colour", "name", "wanted"),
    [
        ("L", 100, "a.png", (100, 100, 100)),
        ("1", 1, "a.png", WHITE),
        ("LA", (100, 0), "a.png", WHITE),
        ("RGBA", (*RED, 255), "a.png", RED),
        ("RGBA", (*RED, 0), "a.png", WHITE),
        ("RGBA", (0, 0, 0, 128), "a.webp", (127, 127, 127)),
        ("RGB", RED, "a.webp", RED),
        ("RGB", RED, "a.gif", RED),
        ("CMYK", (0, 255, 255, 0), "a.jpg", (254, 0, 0)),
        ("I;16", 40_000, "a.png", (156, 156, 156)),
    ],
)
def test_every_colour_mode_becomes_rgb_on_white(tmp_path, workdir, mode, colour, name, wanted):
    artwork = inspect_and_render(
        saved(tmp_path, Image.new(mode, (1400, 1400), colour), name), workdir
    )
    assert is_near(main_of(artwork).getpixel((700, 700)), wanted)
    check_is_fit_for_apps(artwork)


def test_transparent_palette_colours_become_white(tmp_path, workdir):
    image = Image.new("P", (1400, 1400), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (0, 0, 1400, 700))
    path = saved(tmp_path, image, transparency=0)
    rendered = main_of(inspect_and_render(path, workdir))
    assert is_near(rendered.getpixel((700, 100)), BLUE)
    assert is_near(rendered.getpixel((700, 1300)), WHITE)


@pytest.mark.parametrize(
    ("orientation", "corner"), [(3, (1300, 1300)), (6, (1300, 100)), (8, (100, 1300))]
)
def test_a_turned_photo_is_turned_back(tmp_path, workdir, orientation, corner):
    image = Image.new("RGB", (1400, 1400), BLUE)
    image.paste(RED, (0, 0, 700, 700))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Alice's camera"
    artwork = inspect_and_render(saved(tmp_path, image, "a.jpg", exif=exif), workdir)
    assert is_near(main_of(artwork).getpixel(corner), RED)
    check_is_fit_for_apps(artwork)


def test_a_turned_oblong_photo_keeps_its_shape(tmp_path, workdir):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.new("RGB", (400, 200)), "a.jpg", exif=exif)
    artwork = inspect_and_render(path, workdir, square=False)
    assert (artwork.width, artwork.height) == (200, 400)


def test_comments_and_text_stay_behind(tmp_path, workdir):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret")
    png = saved(tmp_path, Image.new("RGB", (1400, 1400)), pnginfo=info)
    jpeg = saved(tmp_path, Image.new("RGB", (1400, 1400)), "a.jpg", comment=b"secret")
    for path in (png, jpeg):
        artwork = inspect_and_render(path, workdir)
        check_is_fit_for_apps(artwork)
        assert all(b"secret" not in file.path.read_bytes() for file in artwork.files)


def swapped_profile():
    """A colour profile with red and green exchanged, so that its use is plain to see."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return (
        profile.replace(b"rXYZ", b"tXYZ", 1)
        .replace(b"gXYZ", b"rXYZ", 1)
        .replace(b"tXYZ", b"gXYZ", 1)
    )


def test_colours_are_brought_from_their_profile_to_srgb(tmp_path, workdir):
    path = saved(tmp_path, Image.new("RGB", (1400, 1400), RED), icc_profile=swapped_profile())
    artwork = inspect_and_render(path, workdir)
    assert is_near(main_of(artwork).getpixel((5, 5)), (30, 200, 40))
    check_is_fit_for_apps(artwork)


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, swapped_profile()[:300]])
def test_a_broken_profile_costs_a_warning_only(tmp_path, workdir, profile):
    path = saved(tmp_path, Image.new("RGB", (1400, 1400), RED), "a.jpg", icc_profile=profile)
    artwork = inspect_and_render(path, workdir)
    assert "colour profile" in artwork.warnings[0]
    assert is_near(main_of(artwork).getpixel((5, 5)), RED)


def test_of_a_moving_picture_the_first_frame_is_kept(tmp_path, workdir):
    frames = [Image.new("RGB", (1400, 1400), colour) for colour in (RED, BLUE)]
    for name in ("a.gif", "a.webp", "a.png"):
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        artwork = inspect_and_render(path, workdir)
        assert "first frame" in artwork.warnings[0]
        assert is_near(main_of(artwork).getpixel((5, 5)), RED)


def test_a_detailed_picture_is_made_smaller_than_512_kb(tmp_path, workdir):
    chance = random.Random(7)
    image = Image.new("RGB", (3000, 3000), WHITE)
    draw = ImageDraw.Draw(image)
    for _ in range(500):
        x, y, size = chance.randrange(3000), chance.randrange(3000), chance.randrange(40, 130)
        draw.circle((x, y), size, fill=tuple(chance.randrange(256) for _ in range(3)))
    assert saved(tmp_path, image, "a.jpg", quality=88).stat().st_size > 512 * 1024
    artwork = inspect_and_render(saved(tmp_path, image), workdir)
    assert artwork.files[0].size_bytes <= 512 * 1024
    assert artwork.warnings == []


def test_a_picture_that_cannot_be_small_is_kept_with_a_warning(tmp_path, workdir):
    noise = Image.frombytes("RGB", (1500, 1500), random.Random(7).randbytes(1500 * 1500 * 3))
    artwork = inspect_and_render(saved(tmp_path, noise), workdir)
    assert artwork.files[0].size_bytes > 512 * 1024
    assert "512 KB" in artwork.warnings[0]


def png_claiming(width, height, *, data=b"\0" * 100):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    )


def refused(tmp_path, workdir, data, name="artwork.png", **options):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(Invalid) as caught:
        inspect_and_render(path, workdir, **options)
    assert caught.value.message.endswith(".")
    assert "audio" not in caught.value.message
    assert list(workdir.iterdir()) == []
    return caught.value.message


def test_a_bomb_is_refused_by_its_size(tmp_path, workdir):
    message = refused(tmp_path, workdir, png_claiming(50_000, 50_000))
    assert "50000 by 50000" in message


def test_a_bomb_in_the_text_of_a_png_is_refused(tmp_path, workdir):
    packer = zlib.compressobj()
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(300)) + packer.flush()
    body = b"Comment\0\0" + bomb
    text = (
        struct.pack(">I", len(body))
        + b"zTXt"
        + body
        + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    )
    png = png_claiming(1400, 1400)
    refused(tmp_path, workdir, png[:33] + text + png[33:])


def test_a_huge_canvas_of_a_webp_is_refused(tmp_path, workdir):
    image = saved(tmp_path, Image.new("RGBA", (16, 16), RED), "a.webp", lossless=True).read_bytes()
    side = (16_383).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + side + side
    frame = b"ANMF" + struct.pack("<I", 16 + len(image) - 12) + bytes(16) + image[12:]
    body = b"WEBP" + extended + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame
    refused(tmp_path, workdir, b"RIFF" + struct.pack("<I", len(body)) + body)


def test_cut_and_damaged_pictures_are_refused(tmp_path, workdir):
    noise = Image.frombytes("RGB", (200, 200), random.Random(7).randbytes(200 * 200 * 3))
    for name in ("a.jpg", "a.png", "a.webp", "a.gif"):
        whole = saved(tmp_path, noise, name).read_bytes()
        for kept in (20, len(whole) // 2):
            message = refused(tmp_path, workdir, whole[:kept], name, square=False)
            assert "damaged" in message or "not a picture" in message
    assert "damaged" in refused(tmp_path, workdir, png_claiming(1400, 1400))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\n <!DOCTYPE html><title>x</title>", "HTML"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        (b"ID3\x04\0\0\0\0\0\0", "not a picture"),
        (b"just words", "not a picture"),
        (b"\0" * 1000, "not a picture"),
    ],
)
def test_what_is_no_picture_is_told_by_content(tmp_path, workdir, data, word):
    assert word in refused(tmp_path, workdir, data, "artwork.jpg")


@pytest.mark.parametrize("name", ["a.tiff", "a.bmp", "a.ico", "a.ppm", "a.jp2"])
def test_kinds_that_apps_cannot_show_are_refused(tmp_path, workdir, name):
    data = saved(tmp_path, Image.new("RGB", (1400, 1400)), name).read_bytes()
    assert "Export it as JPEG or PNG" in refused(tmp_path, workdir, data, "artwork.jpg")


def test_a_file_above_10_mb_is_not_even_opened(tmp_path, workdir):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(Invalid, match="10 MB"):
        inspect_and_render(path, workdir)


def test_pictures_as_large_as_allowed_fit_into_the_memory_of_the_child(tmp_path, workdir):
    image = Image.new("RGBA", (6300, 6300), (*RED, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    artwork = inspect_and_render(saved(tmp_path, image, exif=exif, compress_level=1), workdir)
    assert artwork.width == 3000


def test_random_damage_raises_nothing_but_invalid(tmp_path, workdir):
    chance = random.Random(7)
    image = Image.frombytes("RGB", (40, 40), chance.randbytes(4800))
    for name in ("a.jpg", "a.png", "a.webp", "a.gif"):
        whole = saved(tmp_path, image, name).read_bytes()
        for _ in range(2):
            broken = bytearray(whole)
            for _ in range(chance.randrange(1, 8)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            path = tmp_path / "broken"
            path.write_bytes(broken)
            try:
                check_is_fit_for_apps(inspect_and_render(path, workdir, square=False))
            except Invalid as error:
                assert error.message.endswith(".")


def test_a_show_without_artwork_gets_valid_artwork(workdir):
    artwork = render_placeholder("a show", workdir)
    assert [file.size_px for file in artwork.files] == [3000, 1400, 600, 300, 150]
    assert artwork.files[0].size_bytes < 300_000
    assert artwork.warnings == []
    check_is_fit_for_apps(artwork)


def test_the_same_seed_gives_the_same_artwork_and_another_seed_another(tmp_path):
    pictures = []
    for number, seed in enumerate(["alice", "alice", "bob"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        pictures.append(render_placeholder(seed, folder).files[0].path.read_bytes())
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def luminance(pixel):
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in pixel]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("seed", ["", "alice", "bob", "charlie", "\ud800"])
def test_the_drawn_artwork_has_strong_contrast(workdir: Path, seed):
    """7 to 1 is what WCAG asks of text at its strictest."""
    with Image.open(render_placeholder(seed, workdir).files[2].path) as image:
        shades = sorted(luminance(pixel) for _, pixel in image.getcolors(600 * 600))
    assert (shades[-1] + 0.05) / (shades[0] + 0.05) >= 7


# Cutting a square out


def quarters(size):
    """A picture with another colour in each quarter."""
    image = Image.new("RGB", size, RED)
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.rectangle((width // 2, 0, width, height // 2), fill=BLUE)
    draw.rectangle((0, height // 2, width // 2, height), fill=WHITE)
    draw.rectangle((width // 2, height // 2, width, height), fill=(10, 160, 60))
    return image


@pytest.mark.parametrize("name", ["wide.png", "wide.jpg", "wide.webp"])
def test_the_chosen_square_is_cut_out_of_a_wide_picture(tmp_path, workdir, name):
    path = saved(tmp_path, quarters((3600, 3000)), name)
    artwork = inspect_and_render(path, workdir, crop=Crop(1800, 0, 1500))
    assert (artwork.width, artwork.height) == (1500, 1500)
    check_is_fit_for_apps(artwork)
    for place in ((20, 20), (1480, 1480)):
        assert is_near(main_of(artwork).getpixel(place), BLUE)


def test_a_large_part_of_a_large_photo_is_scaled_to_3000(tmp_path, workdir):
    path = saved(tmp_path, quarters((8000, 4800)), "photo.jpg")
    artwork = inspect_and_render(path, workdir, crop=Crop(0, 0, 4800))
    assert (artwork.width, artwork.height) == (3000, 3000)
    assert is_near(main_of(artwork).getpixel((10, 10)), RED)
    assert is_near(main_of(artwork).getpixel((2990, 10)), BLUE)
    small = inspect_and_render(path, workdir, crop=Crop(6600, 3400, 1400))
    # A photo that was decoded at a part of its size would be too small by now.
    assert small.width == 1400


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_photo_is_cut_as_it_is_seen(tmp_path, workdir, orientation):
    turns = {3: 180, 6: 90, 8: 270}
    upright = quarters((3000, 3400))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(
        tmp_path, upright.rotate(turns[orientation], expand=True), "phone.jpg", exif=exif.tobytes()
    )
    artwork = inspect_and_render(path, workdir, crop=Crop(1500, 0, 1500))
    assert is_near(main_of(artwork).getpixel((30, 30)), BLUE)
    assert is_near(main_of(artwork).getpixel((1470, 1470)), BLUE)


def test_ink_colours_and_moving_pictures_can_be_cut(tmp_path, workdir):
    ink = saved(tmp_path, quarters((2000, 1500)).convert("CMYK"), "ink.jpg")
    artwork = inspect_and_render(ink, workdir, crop=Crop(0, 0, 1400))
    check_is_fit_for_apps(artwork)
    frames = [quarters((2000, 1500)), Image.new("RGB", (2000, 1500), WHITE)]
    moving = saved(tmp_path, frames[0], "moving.gif", save_all=True, append_images=frames[1:])
    artwork = inspect_and_render(moving, workdir, crop=Crop(0, 0, 1400))
    assert is_near(main_of(artwork).getpixel((10, 10)), RED)
    assert any("moves" in sentence for sentence in artwork.warnings)


@pytest.mark.parametrize(
    ("crop", "word"),
    [
        (Crop(0, 0, 1399), "Choose a larger one"),
        (Crop(601, 0, 1400), "not inside"),
        (Crop(0, 101, 1400), "not inside"),
        (Crop(-1, 0, 1400), "not inside"),
        (Crop(0, 0, 0), "not inside"),
        (Crop(10**12, 0, 1500), "not inside"),
    ],
)
def test_a_square_that_cannot_be_cut_out_is_refused(tmp_path, workdir, crop, word):
    path = saved(tmp_path, Image.new("RGB", (2000, 1500), RED))
    with pytest.raises(Invalid, match=word):
        inspect_and_render(path, workdir, crop=crop)
    assert [*workdir.iterdir()] == []


def test_of_a_small_picture_no_part_is_large_enough(tmp_path, workdir):
    path = saved(tmp_path, Image.new("RGB", (3000, 1200), RED))
    with pytest.raises(Invalid, match="no part of it is large enough"):
        inspect_and_render(path, workdir, crop=Crop(0, 0, 1200))


def test_a_bomb_is_refused_before_a_part_of_it_is_cut_out(tmp_path, workdir):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(60_000, 60_000))
    with pytest.raises(Invalid, match="60000 by 60000"):
        inspect_and_render(path, workdir, crop=Crop(0, 0, 1400))
