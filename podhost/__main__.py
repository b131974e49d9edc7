"""`python -m podhost` is the command `podhost`."""

from podhost.cli import main

main()
