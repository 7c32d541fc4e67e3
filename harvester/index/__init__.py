"""An index of a large library, for answers without loading it.

It is a cache: disposable at any time, and believed only where it is proven to be of this library as it is now.
"""

from __future__ import annotations

from harvester.index.build import Binding, build_index, update_index
from harvester.index.place import (
    TABLES,
    IndexUnusable,
    Place,
    Seal,
    digest_of_file,
    files_beside,
    place_of,
    proven,
    read_seal,
    remove_files_of,
    write_sealed,
)
from harvester.index.reader import open_index
from harvester.index.state import IndexedState
