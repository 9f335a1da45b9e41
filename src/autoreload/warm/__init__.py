"""The tool's side of warm restarts: which snapshot serves a change, and how the command is resumed from it."""
