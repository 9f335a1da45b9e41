"""Sockets that outlive restarts: made or held here, passed to the command, answered where there is none."""
