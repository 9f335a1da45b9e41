"""Backends: how the kernel, or a look at the disk, tells what changed."""
