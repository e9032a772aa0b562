"""Writes to rooms and memberships, by noun; `publishing` sends the events that follow them.

Services take keyword arguments and no request, view or socket. Each orders its writes so that a crash between any
two leaves nothing half visible, because MongoDB through djongo has no transactions. A room without members is
invisible: memberships are written last when a room is created, and removed first when it is deleted.
"""
