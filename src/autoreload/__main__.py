"""The program: `python -m autoreload`, and what the console script calls."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal
else:
    from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal

# A Ctrl-C while the rest is imported ends it in silence, not by a traceback; after that signals are inputs of the loop.
# Not in cli.py: what imports that (a test) may want to live. Ignored, as in the background of a script, it stays so.
if getsignal(SIGINT) is default_int_handler:
    signal(SIGINT, SIG_DFL)

from autoreload.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
