"""A worker's part of a capture: a recorder, tapped into the path, and a pump that brings its records to `capture`.

reactor, senders ──tap──► recorder: a bounded queue ──pump's thread──► a socket, whose other end `capture` has
"""
