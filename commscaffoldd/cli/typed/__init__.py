"""Typed messages on the command line: JSON that a person types, bodies as they cross the wire, and back."""
