"""What runs in the user's Python: the standard library alone, CPython 3.9 and newer."""
