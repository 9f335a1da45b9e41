"""One thin file per kernel interface: calls and constants, no policy, nothing of the rest of the package."""
