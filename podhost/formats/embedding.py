"""HTML by which any page shows the player of an episode; it makes no page itself."""

from html import escape

# How the player is made; it fits any width.
PLAYER_HEIGHT_PX = 180


def player_frame(
    url: str, title: str, *, width: str = "100%", height: int = PLAYER_HEIGHT_PX
) -> str:
    """A frame with the player at `url`; `width` is in pixels or per cent, `height` in pixels."""
    return (
        f'<iframe src="{escape(url)}" width="{width}" height="{height}" title="{escape(title)}" '
        'loading="lazy" allow="autoplay; clipboard-write" frameborder="0"></iframe>'
    )
