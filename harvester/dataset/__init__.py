"""Write a selection as a dataset that others can load, cite and extend."""

from __future__ import annotations

from harvester.dataset.facts import DatasetFacts
from harvester.dataset.folder import DatasetOptions, check_replaceable, save_dataset
from harvester.dataset.grouping import GROUPINGS
from harvester.dataset.split_file import load_splits
from harvester.dataset.splits import DEFAULT_SPLIT, METHODS, Assignment, read_shares
