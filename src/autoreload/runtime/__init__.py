"""What runs inside the user's Python: CPython 3.9 to 3.14, the standard library only, and as little of that as can be.

Never imported by this name: `inject/sitecustomize.py` loads it under one that no import statement can spell, so that
it cannot collide with anything of the program's. Its modules import each other relatively.
"""
