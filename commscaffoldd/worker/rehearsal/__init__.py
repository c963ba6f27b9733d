"""A rehearsal: the messages of a capture, played through the handlers of a canary, without sockets."""
