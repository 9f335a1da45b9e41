"""The command: what to run, the guard that keeps its process tree, and the tool's side of that guard."""
