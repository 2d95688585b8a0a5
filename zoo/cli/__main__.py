"""`python -m zoo.cli` is `cardiac-zoo`."""

from zoo.cli import main

main()
