"""Run the command line, as the command `harvester` does."""

from harvester.cli import main

if __name__ == "__main__":
    main()
