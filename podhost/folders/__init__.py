"""A folder of plain files against the database: look, plan, apply, watch."""

from podhost.folders.apply import Progress, Result, apply_plan, watch_folder
from podhost.folders.contents import find_shows
from podhost.folders.plan import EpisodePlan, Plan, describe, plan_show
from podhost.folders.turns import folder_turn

__all__ = [
    "EpisodePlan",
    "Plan",
    "Progress",
    "Result",
    "apply_plan",
    "describe",
    "find_shows",
    "folder_turn",
    "plan_show",
    "watch_folder",
]
