"""Pickles of foreign checkpoints read as data: no code runs, no tensor is loaded, whatever else is in them stays inert.

`torch.load(weights_only=True)` refuses whole files for one foreign object beside the weights (the `meta` of mmpose 1.x,
a training's history), and allocates what a file claims before it looks. Here globals are names, and nothing more.
"""

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

MOST_PICKLE_BYTES = 16 * 2**20
MOST_ELEMENTS = 2**48
# Steps that torch's files never take: a registry of extensions, and buffers allocated before they are read.
REFUSED = [
    code[0]
    for code in (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)
]

STORAGES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
ITEM_BYTES = {
    "float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2,
    "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that still lies in its file; `load()` reads it."""

    shape: tuple[int, ...]
    dtype: str
    load: "Callable[[], Tensor]" = field(repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Storage:
    """A stretch of elements in a file, by the key under which the file holds it."""

    key: str
    dtype: str
    elements: int


@dataclass(frozen=True)
class Name:
    """A global that a pickle refers to; never looked up."""

    module: str
    name: str


class Opaque:
    """Stands for any object that is not a tensor or a plain container; takes what is put into it and does nothing."""

    state: Any = None

    def ignore(self, *_: Any) -> None:
        """Swallow items."""

    append = extend = add = __setitem__ = ignore


LoadView = Callable[[Storage, tuple[int, ...], tuple[int, ...], int], "Tensor"]


class Bounded:
    """A file that gives at most so many bytes, and never allocates more than it has."""

    def __init__(self, file: BinaryIO, most: int = MOST_PICKLE_BYTES) -> None:
        self.file, self.left = file, most

    def read(self, count: int) -> bytes:
        """At most `count` bytes."""
        return self._taken(self.file.read(min(count, self.left)))

    def readline(self) -> bytes:
        """A line, or what is left of the bound."""
        return self._taken(self.file.readline(self.left))

    def _taken(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left <= 0:
            raise ValueError(f"its pickle is longer than {MOST_PICKLE_BYTES // 2**20} MB")
        return data


def checked_key(key: Any) -> Any:
    """A key of a dictionary. Tuples are not hashed: nested ones could take for ever, or overflow the stack."""
    if not isinstance(key, str | int | float | bytes | Name | None):
        raise TypeError(f"a dictionary's key is of type {type(key).__name__}")
    return key


def dictionary(pairs: Iterable[Any]) -> dict[Any, Any]:
    """What `OrderedDict(pairs)` would hold, for keys that are plain."""
    return {checked_key(key): value for key, value in pairs}


class DataUnpickler(pickle._Unpickler):  # the machine in Python: its memo and reads are bounded by the input
    """Walks a pickle and returns its dictionaries, lists and numbers, with `StoredTensor` and `Opaque` as leaves.

    `admit` takes note of a storage or raises, `view` reads elements of it. `foreign` collects the names of what else
    the pickle would have called. Whatever is wrong with a pickle ends in an exception of Python's; the caller catches
    all.
    """

    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    readline: Callable[[], bytes]

    def __init__(self, file: BinaryIO, admit: Callable[[Storage], None], view: LoadView) -> None:
        super().__init__(Bounded(file), encoding="latin1")  # type: ignore[arg-type]  # Python 2 wrote some files
        self.admit, self.view = admit, view
        self.foreign: dict[str, None] = {}

    def find_class(self, module: str, name: str) -> Name:  # type: ignore[override]
        return Name(module, name)

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) < 5 or not isinstance(pid[1], Name):
            return Opaque()
        kind, key, elements = pid[1], pid[2], pid[4]
        if kind.name not in STORAGES or kind.module not in ("torch", "torch.cuda"):
            return self.opaque(kind)
        if len(pid) > 5 and pid[5] is not None:
            raise ValueError("it holds views of storages, as torch 0.1 wrote them")
        storage = Storage(str(key), STORAGES[kind.name], whole(elements))
        self.admit(storage)
        return storage

    def call(self, function: Any, args: Any) -> Any:
        """What REDUCE gives: tensors and ordered dictionaries; anything else is inert."""
        if not isinstance(function, Name) or not isinstance(args, tuple):
            return self.opaque(function)
        if function == Name("collections", "OrderedDict"):
            return dictionary(args[0]) if args else {}
        if function in (Name("torch._utils", "_rebuild_tensor"), Name("torch._utils", "_rebuild_tensor_v2")):
            return self.tensor(*args[:4])
        if function.module == "torch._utils" and function.name.startswith("_rebuild_parameter"):
            return args[0]
        return self.opaque(function)

    def opaque(self, kind: Any) -> Opaque:
        """What stands for an object of a kind that is not looked up."""
        if isinstance(kind, Name):
            self.foreign[f"{kind.module}.{kind.name}"] = None
        return Opaque()

    def tensor(self, storage: Any, offset: Any, shape: Any, stride: Any) -> Any:
        """A view of a storage, within its bounds and without repeating elements."""
        if not isinstance(storage, Storage):
            return Opaque()
        offset, shape, stride = whole(offset), tuple(map(whole, shape)), tuple(map(whole, stride))
        if len(shape) != len(stride) or len(shape) > 8:
            raise ValueError(f"a tensor has {len(shape)} sides and {len(stride)} strides")
        last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
        if prod(shape) > storage.elements or (prod(shape) and last >= storage.elements):
            raise ValueError("a tensor reaches beyond its storage")
        return StoredTensor(shape, storage.dtype, lambda: self.view(storage, shape, stride, offset))

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    def load_build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Opaque):
            self.stack[-1].state = state

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), checked_key(self.stack.pop())
        self.stack[-1][key] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][checked_key(key)] = value

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(dictionary(zip(items[::2], items[1::2], strict=True)))

    def load_newobj(self) -> None:
        self.stack.pop()
        self.stack[-1] = self.opaque(self.stack[-1])

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_newobj()

    def load_instance(self) -> None:  # INST and OBJ: a class and its arguments, back to the mark
        self.pop_mark()
        self.append(Opaque())

    def load_inst(self) -> None:
        for _ in ("module", "name"):
            self.readline()
        self.load_instance()

    def load_set(self) -> None:
        self.append(Opaque())

    dispatch: ClassVar[dict[int, Any]] = {  # type: ignore[assignment]
        **{code: step for code, step in pickle._Unpickler.dispatch.items() if code not in REFUSED},
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        pickle.INST[0]: load_inst,
        pickle.OBJ[0]: load_instance,
        pickle.EMPTY_SET[0]: load_set,
        pickle.FROZENSET[0]: load_instance,
    }


def whole(number: Any) -> int:
    """A count that a file states."""
    if type(number) is not int or not 0 <= number <= MOST_ELEMENTS:
        raise ValueError("a size is not a whole number within bounds")
    return number
