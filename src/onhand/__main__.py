"""`python -m onhand` is the command line."""

from onhand.cli.main import main

if __name__ == "__main__":
    main()
