"""Artwork: turns an uploaded picture into the JPEG files that apps ask for, or draws a first one.

Pictures are hostile, so they are opened in a limited child process only; this module stores
nothing and serves nothing.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podhost.errors import Invalid
from podhost.formats import limits
from podhost.formats.picture_colours import picture_colour

if TYPE_CHECKING:
    from PIL import Image

# Sides in pixels, largest first. Apple wants 1400 to 3000 and prefers 3000, which is what the
# feed names; 1400 is what a television or a large web page shows; 600 fills a phone's player at
# two pixels per point, and covers the share cards of 600; 300 is a list row or a grid tile on a
# sharp screen; 150 the same on an ordinary one, and a player's notification.
SIZES = (3000, 1400, 600, 300, 150)
LARGEST_PX, SMALLEST_ARTWORK_PX = SIZES[0], SIZES[1]
MIME_TYPE = "image/jpeg"

FILE_LIMIT_BYTES = 10_000_000
PIXEL_LIMIT = 40_000_000
# Apple publishes no limit; several other services refuse artwork above 512 KB.
WANTED_BYTES = 512 * 1024
QUALITIES = (88, 84, 80, 75, 70)
SMALL_QUALITY = 85
# Flat colours stay clean at less.
PLACEHOLDER_QUALITIES = (72,)
# A picture that is square but for a stray row is cropped rather than refused.
CROPPED_SHARE = 0.02

# Decoding 40 megapixels with alpha takes 160 MB, flattening them as much again.
CHILD_MEMORY_BYTES = 640_000_000
# However busy the machine is; of its own time a picture may take a third.
LONGEST_SECONDS = 60.0
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
TOO_LARGE = "This picture is larger than 10 MB. Export it as JPEG, 3000 by 3000 pixels."
DAMAGED = (
    "This picture could not be read: it is damaged, or was cut off on its way. "
    "Export it again as JPEG or PNG."
)
_ADVICE = "Export it as JPEG or PNG."
_OTHER_KINDS = (
    (0, b"%PDF", "a PDF"),
    (0, b"<", "SVG or HTML"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"8BPS", "a Photoshop document"),
    (4, b"ftyphei", "a HEIC photo"),
    (4, b"ftypmif1", "a HEIC photo"),
    (4, b"ftypavif", "an AVIF picture"),
)
# Where the rings' centre is, and how far they reach, in shares of the side. None of them puts the
# disc into the bottom fifth, which players cover.
_COMPOSITIONS = ((0.5, 0.5, 0.45), (0.5, 0.7, 0.64), (0.29, 0.34, 0.84), (0.71, 0.34, 0.84))
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class ArtworkFile:
    """One JPEG file; `size_px` is its longest side, and its name."""

    size_px: int
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ArtworkFiles:
    """A picture in all its sizes, the main one first; `width` and `height` are the main one's.

    `colour` is what strikes most in it, as #rrggbb; "" where there are only greys.
    """

    width: int
    height: int
    mime_type: str
    files: list[ArtworkFile]
    warnings: list[str]
    colour: str


@dataclass(frozen=True, slots=True)
class Crop:
    """The square of a picture that becomes artwork, in pixels of the picture as it is seen, that
    is upright: how far it is from the left and from the top, and how wide it is."""

    x: int
    y: int
    side: int


def inspect_and_render(
    path: Path,
    workdir: Path,
    *,
    square: bool = True,
    minimum: int | None = None,
    crop: Crop | None = None,
    wall_seconds: float = LONGEST_SECONDS,
) -> ArtworkFiles:
    """Check the picture at `path` and write `<size>.jpg` files into the folder `workdir`.

    The files are RGB, upright, without metadata, in sRGB colours, never scaled up. Artwork of
    shows and episodes (`square`) must be square and have at least `minimum` = 1400 pixels per
    side (Apple), and is given at 3000 at most. With `square=False` or `minimum=0`, for chapters
    and people, any shape and size will do, and the longest side has 1400 pixels at most. With
    `crop` that part of a picture of any shape is taken. It takes `wall_seconds` at most.

    Raises Invalid with a sentence for anything that is not a usable picture, whatever its name.
    """
    if minimum is None:
        minimum = SMALLEST_ARTWORK_PX if square else 0
    if path.stat().st_size > FILE_LIMIT_BYTES:
        raise Invalid(TOO_LARGE)
    payload = {
        "path": str(path),
        "workdir": str(workdir),
        "square": square and minimum > 0,
        "minimum": minimum,
        "crop": None if crop is None else [crop.x, crop.y, crop.side],
    }
    try:
        answer = limits.run_limited(
            f"{__name__}:render_payload",
            payload,
            memory_bytes=CHILD_MEMORY_BYTES,
            cpu_seconds=20,
            wall_seconds=wall_seconds,
        )
    except Invalid as error:
        if error.message in (limits.DAMAGED, limits.CRASHED):
            raise Invalid(DAMAGED) from None
        if error.message in (limits.TOO_MUCH_MEMORY, limits.TOO_SLOW):
            raise Invalid(
                "This picture takes more memory or time than allowed. "
                "Export it as JPEG, 3000 by 3000 pixels."
            ) from None
        raise
    return _files(answer)


def render_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The part of `inspect_and_render` that runs in a limited child, on a hostile picture."""
    from PIL import Image

    path, minimum, square = Path(payload["path"]), payload["minimum"], payload["square"]
    largest = LARGEST_PX if square else SMALLEST_ARTWORK_PX
    crop = Crop(*payload["crop"]) if payload["crop"] else None
    # Our own limit stands below, and gives the sentence; opening reads the header only.
    Image.MAX_IMAGE_PIXELS = None
    warnings: list[str] = []
    with _opened(path) as image:
        _check_dimensions(image, minimum, square, crop)
        if getattr(image, "is_animated", False) and image.format != "MPO":
            warnings.append("This picture moves; apps show its first frame only.")
        picture = _decoded(image, largest, square, crop, warnings)
    main_px = min(max(picture.size), largest)
    picture = _srgb(_scaled(picture, main_px), warnings)
    return _written(picture, Path(payload["workdir"]), warnings, QUALITIES)


def _opened(path: Path) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        raise Invalid(_unknown_kind(path)) from None
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError):
        raise Invalid(DAMAGED) from None


def _unknown_kind(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "This file is empty: it holds no picture."
    for offset, magic, kind in _OTHER_KINDS:
        if start.lstrip()[offset:].startswith(magic):
            return f"This is {kind}, which podcast apps cannot show. {_ADVICE}"
    if start.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")):
        return DAMAGED
    return f"This is not a picture that podcast apps can show, whatever its name. {_ADVICE}"


def _check_dimensions(image: "Image.Image", minimum: int, square: bool, crop: Crop | None) -> None:
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise Invalid(
            f"This picture has {width} by {height} pixels, which is more than any app shows. "
            "Scale it down to 3000 by 3000."
        )
    # Only now, because Pillow decodes a whole PNG to look for its EXIF.
    width, height = _upright_size(image)
    if crop is not None:
        _check_crop(crop, width, height, minimum)
        return
    if square and max(width, height) - min(width, height) > CROPPED_SHARE * max(width, height):
        raise Invalid(
            f"Artwork must be square; this picture has {width} by {height} pixels. "
            "Crop it, best to 3000 by 3000."
        )
    if min(width, height) < minimum:
        raise Invalid(
            f"Apple Podcasts needs at least {minimum} by {minimum} pixels; "
            f"this picture has {width} by {height}."
        )


def _check_crop(crop: Crop, width: int, height: int, minimum: int) -> None:
    if min(width, height) < minimum:
        raise Invalid(
            f"Apple Podcasts needs at least {minimum} by {minimum} pixels; this picture has "
            f"{width} by {height}, so no part of it is large enough."
        )
    inside = crop.x >= 0 and crop.y >= 0 and crop.side > 0
    if not inside or crop.x + crop.side > width or crop.y + crop.side > height:
        raise Invalid(
            f"The part to be cut out is not inside the picture, which has {width} by {height} "
            "pixels."
        )
    if crop.side < minimum:
        raise Invalid(
            f"Apple Podcasts needs at least {minimum} by {minimum} pixels; the part to be cut out "
            f"has {crop.side} by {crop.side}. Choose a larger one."
        )


def _upright_size(image: "Image.Image") -> tuple[int, int]:
    try:
        turned = image.getexif().get(_EXIF_ORIENTATION) in (5, 6, 7, 8)
    except Exception:  # broken EXIF of any kind means no EXIF
        turned = False
    width, height = image.size
    return (height, width) if turned else (width, height)


def _decoded(
    image: "Image.Image", largest: int, square: bool, crop: Crop | None, warnings: list[str]
) -> "Image.Image":
    """The pixels in a mode that can be scaled, upright, without alpha, cropped to a square."""
    # A JPEG can be decoded at a half or a quarter of its size, which saves memory; the part that is
    # cut out must still be large enough.
    longest = max(image.size)
    wanted = largest if crop is None else -(-longest * min(largest, crop.side) // crop.side)
    image.draft(None, (wanted, wanted))
    try:
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError):
        raise Invalid(DAMAGED) from None
    profile = image.info.get("icc_profile")
    picture = _upright(_flattened(image))
    if crop is not None:
        picture = _cut_out(picture, crop, max(picture.size) / longest)
    elif square and picture.width != picture.height:
        warnings.append(
            f"The picture is not quite square ({picture.width} by {picture.height} pixels); "
            "the longer sides were cropped."
        )
        picture = _cropped(picture)
    # Nothing of the file's metadata goes on, but for the colours.
    picture.info = {"icc_profile": profile} if isinstance(profile, bytes) else {}
    return picture


def _flattened(image: "Image.Image") -> "Image.Image":
    """The picture as RGB, greyscale or CMYK, transparent parts on white."""
    from PIL import Image

    if image.mode in ("RGB", "L", "CMYK"):
        return image
    if image.mode.startswith("I"):
        # 16 bits of grey: the upper eight are what a JPEG can hold.
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("L" if image.mode == "1" else "RGB")
    clear = image if image.mode == "RGBA" else image.convert("RGBA")
    flat = Image.new("RGB", clear.size, "white")
    flat.paste(clear, mask=clear)
    return flat


def _upright(picture: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # broken EXIF of any kind means no EXIF
        return picture


def _cropped(picture: "Image.Image") -> "Image.Image":
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _cut_out(picture: "Image.Image", crop: Crop, share: float) -> "Image.Image":
    """The chosen square of a picture that was decoded at `share` of its size."""
    side = max(1, min(round(crop.side * share), *picture.size))
    left = min(round(crop.x * share), picture.width - side)
    top = min(round(crop.y * share), picture.height - side)
    return picture.crop((left, top, left + side, top + side))


def _scaled(picture: "Image.Image", longest_px: int) -> "Image.Image":
    from PIL import Image

    share = longest_px / max(picture.size)
    if share >= 1:
        return picture
    width, height = (max(1, round(side * share)) for side in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    scaled.info = picture.info
    return scaled


def _srgb(picture: "Image.Image", warnings: list[str]) -> "Image.Image":
    """The picture in sRGB, which is what apps assume of a JPEG without a colour profile."""
    import io

    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if profile:
        try:
            changed = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if changed is not None:
                picture = changed
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            warnings.append("The picture's colour profile could not be used; check the colours.")
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    rgb.info = {}
    return rgb


def _written(
    picture: "Image.Image", workdir: Path, warnings: list[str], qualities: Sequence[int]
) -> dict[str, Any]:
    """Write the main size and every smaller one; the answer is plain values."""
    main_px = max(picture.size)
    main = workdir / f"{main_px}.jpg"
    for quality in qualities:
        _save(picture, main, quality)
        if main.stat().st_size <= WANTED_BYTES:
            break
    else:
        kilobytes = main.stat().st_size // 1024
        warnings.append(
            f"The artwork takes {kilobytes} KB even when compressed strongly; some services "
            "refuse more than 512 KB. A calmer picture gets smaller."
        )
    files = [(main_px, str(main), main.stat().st_size)]
    smaller = picture
    for size_px in (size for size in SIZES if size < main_px):
        smaller, path = _scaled(smaller, size_px), workdir / f"{size_px}.jpg"
        _save(smaller, path, SMALL_QUALITY)
        files.append((size_px, str(path), path.stat().st_size))
    return {
        "width": picture.width,
        "height": picture.height,
        "files": files,
        "warnings": warnings,
        "colour": picture_colour(Path(files[-1][1])) or "",
    }


def _save(picture: "Image.Image", path: Path, quality: int) -> None:
    # Baseline JPEG, because some cars and loudspeakers show no progressive one.
    picture.save(path, "JPEG", quality=quality, optimize=True, dpi=(72, 72))


def _files(answer: dict[str, Any]) -> ArtworkFiles:
    files = [
        ArtworkFile(size_px, Path(path), size_bytes)
        for size_px, path, size_bytes in answer["files"]
    ]
    return ArtworkFiles(
        answer["width"],
        answer["height"],
        MIME_TYPE,
        files,
        list(answer["warnings"]),
        answer["colour"],
    )


def render_placeholder(seed: str, workdir: Path) -> ArtworkFiles:
    """Draw artwork for a show that has none, and write it into `workdir` in all its sizes.

    Rings like sound around its source, in two colours; the same seed (say, the show's guid)
    always gives the same picture. There is no text in it, because apps print the title beside it.
    """
    from PIL import Image

    chosen = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    # Twice the size, then halved: that is what smooths the edges.
    levels = _rings(chosen, LARGEST_PX * 2).reduce(2)
    red, green, blue = zip(*_shades(chosen), strict=True)
    picture = Image.merge("RGB", [levels.point(table) for table in (red, green, blue)])
    return _files(_written(picture, workdir, [], PLACEHOLDER_QUALITIES))


def _rings(chosen: bytes, side: int) -> "Image.Image":
    """Rings around a disc, brighter towards it; 0 is the background and 255 the disc."""
    from PIL import Image, ImageDraw

    x, y, reach = _COMPOSITIONS[chosen[0] % len(_COMPOSITIONS)]
    count = 7 + chosen[1] % 3
    # Widths swell and shrink as loudness does.
    phase, pace = chosen[2] / 255 * math.tau, 0.7 + chosen[3] / 255
    widths = [1 + 0.55 * math.sin(phase + place * pace) for place in range(count)]
    disc = reach * 0.13
    step = (reach - disc) / sum(widths)
    picture = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(picture)
    outer = reach
    for place, width in enumerate(widths):
        nearness = place / (count - 1)
        draw.circle((x * side, y * side), outer * side, fill=round(36 + 170 * nearness**1.35))
        inner = outer - step * width / 2
        draw.circle((x * side, y * side), inner * side, fill=round(14 * nearness))
        outer -= step * width
    draw.circle((x * side, y * side), disc * side, fill=255)
    return picture


def _shades(chosen: bytes) -> list[tuple[int, int, int]]:
    """The 256 colours from the background to the disc, evenly spaced to the eye."""
    # Dark yellow and olive look dirty: the background's hue runs from green over blue to red.
    hue = 150 + chosen[4] / 255 * 240
    turn = (55 + chosen[5] / 255 * 50) * (1 if chosen[6] % 2 else -1)
    shades = []
    for level in range(256):
        share = level / 255
        chroma = 0.07 + 0.05 * share + 0.06 * math.sin(math.pi * share)
        shades.append(_from_oklch(0.26 + 0.62 * share, chroma, hue + turn * share))
    return shades


def _from_oklch(lightness: float, chroma: float, hue_degrees: float) -> tuple[int, int, int]:
    """sRGB of a colour in OKLCH (CSS Color 4), where equal steps look equal; clipped to sRGB."""
    a = chroma * math.cos(math.radians(hue_degrees))
    b = chroma * math.sin(math.radians(hue_degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _gamma(linear: float) -> int:
    clipped = min(1.0, max(0.0, linear))
    curved = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(255 * curved)
