"""Captures: files of the messages that a running daemon has received and sent; see docs/capture.md."""
