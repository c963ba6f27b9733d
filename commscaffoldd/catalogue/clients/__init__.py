"""Clients in other people's programs: modules with a type for each body and a method for each message."""
