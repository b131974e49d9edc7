"""The written side of a show: articles, pages and sponsors; episodes are not its business."""
