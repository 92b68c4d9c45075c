"""The manifest inside a lone ONNX or safetensors file, read by a few bytes of it and by nothing that could run.

Both formats begin with lengths that a hostile file can state at will: each is held against the file's own size.
https://github.com/huggingface/safetensors#format, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import json
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ..errors import ModelError
from .manifest import METADATA_KEY, Manifest

_MOST_HEADER_BYTES = 50_000_000  # a safetensors header names every tensor, and holds the manifest
_METADATA_FIELD, _GRAPH_FIELD = 14, 7  # of ONNX's ModelProto
_VARINT, _BYTES = 0, 2  # protobuf's wire types, and those of fixed length with it
_FIXED = {1: 8, 5: 4}
# Of what tensors can be part of: field -> what is in it. `_ELSEWHERE` are external_data and data_location.
_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_ELSEWHERE = (13, 14)
_MOST_NESTED = 50
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch's archive, or a bare one
_HINT = "Export the model again with `birds export`, or get the file anew."


def manifest_in_safetensors(path: Path) -> Manifest:
    """What the safetensors file says of its model.

    Raises
    ------
    ModelError : no safetensors file, truncated, with a header that cannot be, or not exported by birds.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        _refuse_pickle(file, path)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= _MOST_HEADER_BYTES:
            raise ModelError(f"{path} is no safetensors file: its header would be {length} bytes long.", _HINT)
        if length > size - 8:
            raise ModelError(f"{path} is truncated: its header alone is {length} bytes, the file {size}.", _HINT)
        text = file.read(length)
    try:
        header = json.loads(text)
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        description = header.get("__metadata__", {}).get(METADATA_KEY)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its header is no table of tensors.", _HINT) from error
    if (expected := 8 + length + max(ends, default=0)) != size:
        what = "truncated" if expected > size else "damaged"
        raise ModelError(f"{path} is {what}: it should be {expected} bytes long and is {size}.", _HINT)
    return _manifest(description, path)


def manifest_in_onnx(path: Path) -> Manifest:
    """What the ONNX file says of its model. Raises ModelError as `manifest_in_safetensors` does."""
    size = path.stat().st_size
    description: bytes | None = None
    has_graph = False
    with path.open("rb") as file:
        _refuse_pickle(file, path)
        try:
            while file.tell() < size:
                field, length = _next_field(file, size)
                has_graph |= field == _GRAPH_FIELD
                if field == _METADATA_FIELD:
                    entry = _entry(file.read(length))
                    description = entry.get(2) if entry.get(1) == METADATA_KEY.encode() else description
                else:
                    file.seek(length, 1)
        except EOFError as error:
            raise ModelError(f"{path} is truncated: {error}.", _HINT) from error
        except ValueError as error:
            raise ModelError(f"{path} is no ONNX file: {error}.", _HINT) from error
    if not has_graph:
        raise ModelError(f"{path} is no ONNX file: it has no graph.", _HINT)
    return _manifest(description, path)


def refuse_other_files(path: Path) -> None:
    """Raise ModelError where an ONNX file takes weights from other files, as the format allows.

    What opens it would look for them in the working directory, wherever the file came from, and read what it names.
    """
    with path.open("rb") as file:
        try:
            is_alone = _keeps_its_weights(file, path.stat().st_size, "model", 0)
        except (EOFError, ValueError) as error:
            raise ModelError(f"{path} is damaged: {error}.", _HINT) from error
    if not is_alone:
        raise ModelError(f"{path} asks for other files of this machine, which a model of birds never does.", _HINT)


def _keeps_its_weights(file: BinaryIO, end: int, message: str, depth: int) -> bool:
    """Whether no tensor says that its data is elsewhere, from here to `end`, within a `message` of `_PARTS`."""
    if depth > _MOST_NESTED:
        raise ValueError("its graphs are nested too deep")
    while file.tell() < end:
        field, length = _next_field(file, end)
        if message == "tensor" and field in _ELSEWHERE:
            return False
        inside = _PARTS[message].get(field)
        if inside is None or not length:
            file.seek(length, 1)
        elif not _keeps_its_weights(file, file.tell() + length, inside, depth + 1):
            return False
    return True


def _refuse_pickle(file: BinaryIO, path: Path) -> None:
    start = file.read(4)
    file.seek(0)
    if start.startswith(_PICKLES):
        raise ModelError(
            f"{path} is a pickle, whatever its name says, and a pickle can run code: it was not opened.",
            "Get the model's real file; a pickle that you trust is named export.pkl and opened with --trust.",
        )


def _next_field(file: BinaryIO, size: int) -> tuple[int, int]:
    """Number and length of the field that begins here; numbers have been read already and are 0 long."""
    key = _varint(file)
    field, wire = key >> 3, key & 7
    if not field or wire not in {_VARINT, _BYTES, *_FIXED}:
        raise ValueError("its fields are not protobuf's")
    if wire == _VARINT:
        _varint(file)
        return field, 0
    length = _varint(file) if wire == _BYTES else _FIXED[wire]
    if file.tell() + length > size:
        raise EOFError(f"a part of it is {length} bytes long, the file {size}")
    return field, length


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("its numbers are not protobuf's")


def _entry(data: bytes) -> dict[int, bytes]:
    """The fields of a key and value pair."""
    file, found = BytesIO(data), dict[int, bytes]()
    while file.tell() < len(data):
        field, length = _next_field(file, len(data))
        found[field] = file.read(length)
    return found


def _manifest(description: str | bytes | None, path: Path) -> Manifest:
    if not isinstance(description, str | bytes):
        raise ModelError(f"{path} was not exported by birds: it does not say what its outputs mean.", _HINT)
    return Manifest.from_json(description, path)
