"""Settings: the frozen, validated values that recipes are made of, changed by dotted paths."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hrnet.errors import UsageError, nearest


class Settings(BaseModel):
    """A frozen group of values; unknown fields and wrong types are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def but(self, **changes: Any) -> Self:
        """Return a copy with some values changed; `__` steps into a group: `but(optim__lr=1e-4)`."""
        return self.override({name.replace("__", "."): value for name, value in changes.items()})

    def override(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with dotted paths changed, e.g. `{"optim.lr": "1e-4"}`; text is read as YAML.

        Raises `UsageError` naming the field, what it takes, and for an unknown field the nearest existing one.
        """
        data = self.model_dump()
        for path, value in changes.items():
            self._put(data, path, value)
        try:
            return type(self).model_validate(data)
        except ValidationError as error:
            raise UsageError(describe(error)) from None

    def _put(self, data: dict[str, Any], path: str, value: Any) -> None:
        known = dict(self.paths())
        if path not in known and not any(name.startswith(path + ".") for name in known):
            raise UsageError(f"there is no recipe field {path!r}: {nearest(path, known)}")
        *groups, leaf = path.split(".")
        for group in groups:
            data = data[group]
        data[leaf] = value.model_dump() if isinstance(value, BaseModel) else read_value(value)

    def paths(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield every dotted path of this group with its value."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Settings):
                yield from value.paths(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    def to_yaml(self) -> str:
        """Return the values as YAML, as they are kept in a run folder."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read_value(value: Any) -> Any:
    """Read a value given as text (`"1e-4"`, `"[1, 2]"`, `"true"`); anything else passes through."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if "e" in value.lower() else yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value


def describe(error: ValidationError) -> str:
    """One sentence for the first fault that pydantic found."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"]) or "the recipe"
    return f"{where} cannot be {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
