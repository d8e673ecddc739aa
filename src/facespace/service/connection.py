"""Connections of the service: more of them than the local pages take, with longer bodies."""

from facespace.http import connections

# For the whole file of a bulk job.
BODY_S = 3600.0


def connection_of(most: int) -> type[connections.Connection]:
    """The kind of connection of which a process has so many at most."""

    class Connection(connections.Connection):
        def body_s(self) -> float:
            return BODY_S

        def most_connections(self) -> int:
            return most

    return Connection
