"""`commscaffoldd console`: one connection, and a person, or a script, who types messages."""
