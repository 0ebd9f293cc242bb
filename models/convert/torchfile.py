"""Reads the tensors of a PyTorch checkpoint with NumPy alone; runs no code that the file names.

Owns: both forms of the file (a zip, and the stream of pickles before PyTorch 1.6). Must not know: networks.
"""

import collections
import io
import pickle
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.float32, "HalfStorage": np.float16, "DoubleStorage": np.float64, "LongStorage": np.int64,
          "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_}


class Storage:
    """Numbers of one file entry, which come before or after the tensors that are views of them."""

    def __init__(self, dtype):
        self.dtype, self.data = np.dtype(dtype), None

    def fill(self, raw):
        self.data = np.frombuffer(raw, self.dtype)


class Tensor:
    """A view of a storage."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        data, size = self.storage.data[self.offset:], self.storage.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(data, self.shape, [s * size for s in self.strides])
        return np.ascontiguousarray(view)


def rebuild(storage, offset, shape, strides, *_):
    return Tensor(storage, offset, tuple(shape), tuple(strides))


class Reader(pickle.Unpickler):
    """Knows tensors, numbers and dictionaries; anything else is refused."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return rebuild
        if name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no tensor and is not loaded")

    def persistent_load(self, pid):
        dtype, key = pid[1], pid[2]
        return self.storages.setdefault(key, Storage(dtype))


def read(path):
    """Name -> array of the state dictionary."""
    storages = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            head = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            state = Reader(io.BytesIO(archive.read(head)), storages).load()
            for key, storage in storages.items():
                storage.fill(archive.read(head[:-len("data.pkl")] + "data/" + key))
    else:
        with open(path, "rb") as file:
            def load():
                return Reader(file, storages).load()

            if load() != MAGIC:
                raise ValueError(f"{path}: no PyTorch checkpoint")
            load(), load()
            state = load()
            for key in load():
                count = int.from_bytes(file.read(8), "little")
                storage = storages[key]
                storage.fill(file.read(count * storage.dtype.itemsize))
    return {name: value.array() for name, value in state.items() if isinstance(value, Tensor)}
