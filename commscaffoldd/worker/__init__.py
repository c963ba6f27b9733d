"""A worker: puts core and plugins together."""
