"""How well two runs over the same pictures agree, and whether that is well enough."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Figures by name, as a table shows them, and a sentence for each that is beyond its budget; none when all hold."""

    figures: dict[str, float]
    faults: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.figures.items())


def judged(figures: dict[str, float], limits: dict[str, float]) -> Agreement:
    """An agreement whose figures must stay below their limits (those without a limit are only shown)."""
    faults = (
        f"{name} is {figures[name]:g}, the budget {limit:g}"
        for name, limit in limits.items()
        if name in figures and not figures[name] < limit
    )
    return Agreement(figures, tuple(faults))
