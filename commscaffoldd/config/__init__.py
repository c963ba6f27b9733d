"""What a person configures: schema, loading, errors.

`find` says which file, `load` reads it into a `schema.Config` or raises `errors.ConfigErrors` with
everything that is wrong, `dump` writes the effective configuration. All of it may be called from any
thread; nothing is kept.
"""
