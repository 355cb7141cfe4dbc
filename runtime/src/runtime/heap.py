"""Memory that was freed goes back to the system. Called where a lot was used for a moment: at start, for a picture.

glibc keeps what is freed for the next time, in every arena, and gives nothing of it back by itself but at the very end.
"""

import ctypes
import sys


def trim() -> None:
    """Give it back; takes some milliseconds, in which other threads go on until they need memory themselves."""
    if sys.platform == "linux" and (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # glibc's
        give_back(0)
