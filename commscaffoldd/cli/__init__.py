"""What a person types: the `commscaffoldd` command."""
