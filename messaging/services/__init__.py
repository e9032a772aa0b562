"""Writes to the log of messages, called by sockets, REST and commands. Functions take keyword arguments only.

Events are published after the write, by the functions of `publishing`.
"""
