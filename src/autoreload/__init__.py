"""Run a command, watch a source tree, restart the command when a file that matters changes."""

__version__ = "0.1.0"
