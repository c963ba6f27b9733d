"""`python -m commscaffoldd`: the same as the command."""

from commscaffoldd.cli.main import main

if __name__ == "__main__":
    main()
