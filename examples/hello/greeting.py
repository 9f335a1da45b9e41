"""What the page says. Edit this file and save it: the page shows the new words at once."""


def greeting() -> str:
    """The words in the middle of the page."""
    return "Hello, world!"
