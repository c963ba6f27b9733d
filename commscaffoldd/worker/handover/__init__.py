"""Handover: live connections move from one worker process to another, and their clients notice nothing.

    master ──orders, with one end of a socket pair each──► the old worker, and each new one   (orders)
    old worker ──connection by connection, with its descriptor──► new worker                 (parcels)

Who has a connection is never in doubt. The old worker stops using it, and sends a copy of its state with its
descriptor; it is the old one's until the new one says `Taken`. The new one says that first, and begins with the
connection then; should it die before, the old one sees the end of the socket pair, and goes on with the connection as
if nothing had been. Should it live and say nothing, the old one calls back what it has sent: from then on no `Taken`
can be said (`ParcelStream.recall`). Should the old one die, nobody goes on with what the new one has not taken: it
cannot be in two places.
"""
