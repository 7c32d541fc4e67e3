"""A module that cannot be imported where its dependency is missing."""

from __future__ import annotations

import a_package_that_is_not_installed  # type: ignore[import-not-found]  # noqa: F401
