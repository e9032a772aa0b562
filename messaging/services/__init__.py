"""Writes to the log of messages, called by sockets, REST and commands. Functions take keyword arguments only.

An event is published after its write, by a function of `publishing`; no other module of messaging publishes.
"""
