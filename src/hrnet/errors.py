"""The two ways a call can be refused, and help with a mistyped name."""

from collections.abc import Iterable
from difflib import get_close_matches


class HRNetError(Exception):
    """Bad input: one sentence says what is wrong, in which file, what was expected and the next step.

    The command line prints the sentence and exits with status 1.
    """


class UsageError(HRNetError):
    """Wrong use, such as an unknown option or setting; the command line exits with status 2."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant: ``did you mean 'x'? Known: a, b, x``.

    Letter case is ignored; without a likely candidate only the known names are listed, in the order given.
    """
    names = list(known)
    by_folded = {candidate.casefold(): candidate for candidate in names}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    question = f"did you mean '{by_folded[close[0]]}'? " if close else ""
    return f"{question}Known: {', '.join(names)}"
