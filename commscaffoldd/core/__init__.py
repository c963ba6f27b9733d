"""Engine, framing, connections, reactor, business pool, sender, recycler, heartbeat, flood, accept."""
