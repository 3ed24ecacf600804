"""`python -m hrnet`: the command line where its script is not on the path."""

from hrnet.cli.main import run

if __name__ == "__main__":
    run()
