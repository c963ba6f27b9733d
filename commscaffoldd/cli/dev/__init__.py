"""`commscaffoldd start --dev`: the daemon in a terminal, reloaded whenever a file of it changes."""
