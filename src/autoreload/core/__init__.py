"""The decisions, as pure code: no clock, no file, no process.

Time and facts are arguments, actions are return values.
"""
