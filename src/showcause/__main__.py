"""`python -m showcause` is the command line."""

from showcause.cli import main

if __name__ == "__main__":
    main()
