"""``python -m cli`` is ``mailtrail``."""

from cli.main import main

main()
