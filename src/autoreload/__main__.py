"""`python -m autoreload`."""

import sys

from autoreload.cli import main

if __name__ == "__main__":
    sys.exit(main())
