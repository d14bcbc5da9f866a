"""Entry of the snapshot function, at the root of the zip because SCF takes no slash in a handler."""

import sys

# Dependencies of a zip made by `serverless package`. Those of `mailtrail package` lie at the root and never need it.
sys.path.append(f"{__file__.rpartition('/')[0]}/vendor")

from functions.snapshot.handler import main_handler

__all__ = ["main_handler"]
