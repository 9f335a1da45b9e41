"""Benchmarks of autoreload beside its peers: one file per question, all tools in the same run, in turns.

`benchmarks/run --quick` looks at everything within a few minutes; `benchmarks/run` writes docs/benchmarks.md.
"""
