"""Map a vector file into memory, with its rows by sound id.

A block is read, widened and normalised on request, so that memory does not grow with the library. Exact scores are
computed in double precision from the file's components: they do not depend on blocks, threads or the BLAS library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from harvester.errors import SettingsError
from harvester.vectors import HEADER_BYTES, Header

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids: TypeAlias = NDArray[np.int64]
    Rows: TypeAlias = NDArray[np.int64]
    Floats: TypeAlias = NDArray[np.float32]
    Doubles: TypeAlias = NDArray[np.float64]
    Halves: TypeAlias = NDArray[np.float16]
    Truths: TypeAlias = NDArray[np.bool_]

MIN_SCORE = 0.7
"""The server's lists hold scores of 0.7 and more."""

SCORE_DECIMALS = 6
"""Decimals of a score: enough for the server's single precision; equal vectors get equal scores."""

_SIGN_EXPONENT_FRACTION = np.int32(-0x70000001)
_REBIAS = np.float32(2.0**112)
_EXPONENT, _MAGNITUDE = np.int16(0x7C00), np.int16(0x7FFF)
_PAIRS_AT_ONCE = 1024
_ROWS_AT_ONCE = 1024


class Table:
    """Vectors by ascending sound id; a row is an index in that order."""

    def __init__(self, vectors: Halves, places: Rows, ids: Ids) -> None:
        """Take finite `vectors`, and for each id, ascending, its index in them."""
        self.ids = ids
        self._vectors, self._places = vectors, places
        self._lengths = np.ones(len(ids))
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            block = self._wide(np.arange(start, min(start + _ROWS_AT_ONCE, len(ids))))
            self._lengths[start : start + len(block)] = np.sqrt(np.einsum("ij,ij->i", block, block))
        self._lengths[self._lengths == 0] = 1.0

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another machine needs: the vectors in use, no file."""
        vectors = np.ascontiguousarray(self._vectors[self._places])
        return {**self.__dict__, "_vectors": np.asarray(vectors), "_places": np.arange(len(self))}

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return int(self._vectors.shape[1])

    def block(self, rows: Rows) -> Floats:
        """Return the vectors of `rows`, normalised, in single precision."""
        block = self._single(rows)
        block *= (1.0 / self._lengths[rows]).astype(np.float32)[:, None]
        return block

    def scores(self, one: Rows, other: Rows) -> Doubles:
        """Return the rounded score (1 + cosine) / 2 of each pair of rows."""
        found = np.empty(len(one))
        for start in range(0, len(one), _PAIRS_AT_ONCE):
            a, b = one[start : start + _PAIRS_AT_ONCE], other[start : start + _PAIRS_AT_ONCE]
            dots = np.einsum("ij,ij->i", self._wide(a), self._wide(b))
            found[start : start + len(a)] = dots / (self._lengths[a] * self._lengths[b])
        return _as_scores(found)

    def scores_with(self, vector: Doubles) -> Doubles:
        """Return the rounded score of each row with one vector.

        With a row of this table, they are those of `scores`. The vector must not be zero.
        """
        found, length = np.empty(len(self)), np.sqrt(np.einsum("i,i->", vector, vector))
        for start in range(0, len(self), _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(self)))
            wide = self._wide(rows)
            dots = np.einsum("ij,ij->i", np.broadcast_to(vector, wide.shape), wide)
            found[rows] = dots / (length * self._lengths[rows])
        return _as_scores(found)

    def mean(self, rows: Rows) -> Doubles:
        """Return the mean of the normalised vectors of `rows`.

        It is not normalised. The mean of one row is its vector as it is.
        """
        wide = self._wide(rows)
        if len(rows) > 1:
            wide /= self._lengths[rows][:, None]
        found: Doubles = wide.sum(axis=0) / len(rows)
        return found

    def are_vectors(self) -> Truths:
        """Tell of each row whether it can be compared: finite and not zero."""
        found = np.empty(len(self), dtype=bool)
        for start in range(0, len(self), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            bits = self._vectors[self._places[rows]].view("<i2")
            found[rows] = (bits & _MAGNITUDE).any(axis=1) & ((bits & _EXPONENT) != _EXPONENT).all(axis=1)
        return found

    def _wide(self, rows: Rows) -> Doubles:
        wide: Doubles = self._single(rows).astype(np.float64)
        return wide

    def _single(self, rows: Rows) -> Floats:
        # Half to single precision by shifting bits: six times as fast as numpy's cast, and as exact.
        bits = self._vectors[self._places[rows]].view("<i2").astype(np.int32)
        bits <<= 13
        bits &= _SIGN_EXPONENT_FRACTION
        single = bits.view(np.float32)
        single *= _REBIAS
        return single


def no_vectors(folder: Path) -> SettingsError:
    """Return the error for a library without vectors."""
    return SettingsError(
        f"{folder} holds no vectors: fetch them with `harvester harvest --sweep --query TEXT --vectors laion_clap`"
    )


def _as_scores(cosines: Doubles) -> Doubles:
    found: Doubles = np.clip((1.0 + cosines) / 2.0, 0.0, 1.0)
    np.round(found, SCORE_DECIMALS, out=found)
    return found


def map_table(file: BinaryIO, header: Header, places: Mapping[int, int]) -> Table:
    """Return the table of a vector file; `places` maps sounds to rows.

    The file may be closed, replaced and removed afterwards.
    """
    row = np.dtype([("id", "<u8"), ("checksum", "<u4"), ("zeros", "<u4"), ("vector", "<f2", (header.dimension,))])
    count = header.rows_in(os.fstat(file.fileno()).st_size)
    mapped = np.memmap(file, dtype=row, mode="r", offset=HEADER_BYTES, shape=(count,)) if count else np.empty(0, row)
    ids = np.fromiter(places, dtype=np.int64, count=len(places))
    order = np.argsort(ids)
    rows = np.fromiter(places.values(), dtype=np.int64, count=len(places))
    return Table(mapped["vector"], rows[order], ids[order])
