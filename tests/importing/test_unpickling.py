"""What a pickle may hold, and that nothing else of it is ever run."""

import os
import pickle
import struct
from collections import OrderedDict
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from birds.errors import UsageError
from birds.importing.unpickling import unpickle

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1),
    np.array([1, 2, 3], dtype=">i4"),
    np.array([True, False]),
    np.array(["cigüeña", "loro"]),
    np.array([b"a", b"bc"]),
    np.zeros((0, 3), dtype=np.float64),
    np.array(7),
]


def _read(tmp_path: Path, data: bytes) -> object:
    path = tmp_path / "some.pkl"
    path.write_bytes(data)
    return unpickle(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_arrays_come_out_as_they_went_in(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    found = _read(tmp_path, pickle.dumps({"data": array}, protocol=protocol))
    assert isinstance(found, dict)
    assert found["data"].shape == array.shape
    assert found["data"].dtype == array.dtype
    assert np.array_equal(found["data"], array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_out_as_they_went_in(tmp_path: Path, protocol: int) -> None:
    value = {"a": [1, -2, 3.5, None, True], b"b": ("cigüeña", b"\x00\xff", b""), 3: {"deep": [[]]}, "big": 10**30}
    assert _read(tmp_path, pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numbers_of_numpy_come_out_as_numbers(tmp_path: Path, protocol: int) -> None:
    found = _read(tmp_path, pickle.dumps([np.int64(5), np.float32(0.5)], protocol=protocol))
    assert found == [5, 0.5]
    assert [type(one) for one in found] == [int, float]  # type: ignore[attr-defined]


def test_an_array_of_texts_as_objects_is_a_list(tmp_path: Path) -> None:
    found = _read(tmp_path, pickle.dumps(np.array(["loro", "garza"], dtype=object)))
    assert found == ["loro", "garza"]


def test_what_is_there_twice_or_holds_itself_is_read(tmp_path: Path) -> None:
    array = np.arange(3)
    value: dict[str, object] = {"one": array, "other": array}
    value["self"] = value
    found = _read(tmp_path, pickle.dumps(value))
    assert found["one"] is found["other"]  # type: ignore[index]
    assert found["self"] is found  # type: ignore[index]


def test_a_pickle_of_python_2_is_read(tmp_path: Path, generator: ModuleType) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(4, 3)
    data = generator.pickle_of_python_2({"data": array, "labels": [3, 200], "names": ["año"]})
    theirs = pickle.loads(data, encoding="bytes")
    assert np.array_equal(theirs[b"data"], array)
    found = _read(tmp_path, data)
    assert isinstance(found, dict)
    assert np.array_equal(found.pop(b"data"), array)
    assert found == {b"labels": [3, 200], b"names": ["año".encode()]}


class _Touch:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


class _Evaluated:
    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return eval, (self._code,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_payload_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(UsageError, match=r"asks for (posix|nt)\.mkdir, .*Nothing of it was run"):
        _read(tmp_path, pickle.dumps({"data": _Touch(marker)}, protocol=protocol))
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    with pytest.raises(UsageError, match=r"asks for (builtins|__builtin__)\.eval"):
        _read(tmp_path, pickle.dumps([np.arange(3), _Evaluated(code)], protocol=protocol))
    system = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    with pytest.raises(UsageError, match=r"asks for os\.system"):
        _read(tmp_path, system)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (pickle.dumps(OrderedDict(a=1)), r"collections\.OrderedDict"),
        (pickle.dumps(date(2026, 1, 1)), r"datetime\.date"),
        (pickle.dumps({1, 2}, protocol=2), r"set"),
        (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", r"builtins\.getattr"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10lib.format._read\x93.", r"numpy\.lib\.format"),  # a dotted name
        (b"cnumpy\ndtype\n.", "a function or type as a value"),
        (b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "bytes of a number"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00ziptR.", r"_codecs\.encode with 'zip'"),
        (b"Pkept elsewhere\n.", "an object kept elsewhere"),
        (b"cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.", "to change a function"),
        (pickle.dumps(np.zeros(2, dtype="M8[s]")), "arrays of 'M8'"),
        (pickle.dumps(np.zeros(2, dtype=[("a", "O")])), "arrays of"),
        (pickle.dumps(np.zeros((1, 2), dtype=object)), "more than one dimension"),
    ],
)
def test_what_else_a_pickle_may_want_is_refused(tmp_path: Path, data: bytes, wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        _read(tmp_path, data)


def test_bytes_are_never_taken_for_addresses_of_objects(tmp_path: Path) -> None:
    """Numpy's own functions would believe a pickle that says so."""
    array = pickle.dumps(np.zeros(2, dtype=np.int64), protocol=2)
    as_objects = array.replace(b"X\x02\x00\x00\x00i8", b"X\x02\x00\x00\x00O8")
    assert as_objects != array
    with pytest.raises(UsageError, match="arrays of 'O8'"):
        _read(tmp_path, as_objects)


def test_a_few_bytes_cannot_ask_for_gigabytes(tmp_path: Path) -> None:
    assert _read(tmp_path, b"\x80\x02]r\xff\xff\xff\x7f.") == []  # put at place 2,147,483,647 of the memo
    with pytest.raises(UsageError, match=r"damaged|cut short"):
        _read(tmp_path, b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"ab.")


def test_tuples_of_tuples_take_no_longer_than_they_are(tmp_path: Path) -> None:
    value: object = ()
    for _ in range(80):
        value = (value, value)
    found = _read(tmp_path, pickle.dumps([value]))
    assert isinstance(found, list)


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_one_that_is_cut_short_is_told(tmp_path: Path, cut: int) -> None:
    data = pickle.dumps({"data": np.zeros((20, 20), np.uint8)})
    with pytest.raises(UsageError, match=r"some\.pkl is (cut short|no pickle, or is damaged)"):
        _read(tmp_path, data[:-cut])


@pytest.mark.parametrize("data", [b"", b"no pickle", b"\x80\xff", b"(t(te.", b"\x89PNG\r\n\x1a\n", b"}K\x01.}."[:2]])
def test_what_is_no_pickle_is_told_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        _read(tmp_path, data)
    assert "\n" not in str(caught.value)
