"""Fuzz targets: one module each, with `one_input(data)` that raises only on a real bug."""
