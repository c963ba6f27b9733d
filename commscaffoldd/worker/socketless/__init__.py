"""Handlers without sockets: the daemon's own code around them, and connections that nobody is at the other end of.

The one way to run a handler outside of a worker: for rehearsals (`worker.rehearsal`) and for the test kit
(`commscaffoldd.testing`). What it has of a worker is what handlers see and what decides their replies: login gate,
middleware, binding, order for each connection, deferred replies, the event loop. It has no quarantine and no limits.
"""
