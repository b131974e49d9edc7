"""Lengths, moments and sizes in figures, as pages in any language show them; no dates."""


def duration(duration_ms: int) -> str:
    """A length in hours and minutes; a minute at least."""
    minutes = max(1, round(duration_ms / 60_000))
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{minutes} min"] if minutes else parts)


def clock(moment_ms: int) -> str:
    """A moment inside an episode, such as 1:02:03."""
    seconds = moment_ms // 1000
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def file_size(size_bytes: int) -> str:
    """A size in megabytes."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 10e6 else f"{size_bytes / 1e6:.0f} MB"
