"""300 previews through kills, truncated and lost answers, a slow drip and a full disk."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harvester.clock import SystemClock
from harvester.sandbox import GeneratedCatalogue, Sandbox
from tests.support.mounts import memory_disk, remount
from tests.support.preview_trouble import FAULTS, Troubled
from tests.support.processes import run, sandbox_process

KEY = "Zq7kVtheKEYw3Lx9PmB4nRsT2uYdGhJcFa5eK8oQ"
pytestmark = pytest.mark.chaos
SOUNDS, DISK_BYTES = 300, 3 << 20


def test_each_of_300_previews_is_whole_or_absent_and_none_is_fetched_twice(tmp_path: Path) -> None:
    faults = [word for rule in FAULTS for word in ("--fault", rule)]
    with (
        memory_disk(tmp_path, DISK_BYTES) as disk,
        sandbox_process(tmp_path, "--no-throttle", "--sounds", SOUNDS, "--token", KEY, *faults) as sandbox,
    ):
        grown = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--library", disk / "lib", "--sweep", "--filter",
            "duration:[0 TO *]", cwd=tmp_path, key=KEY,
        )  # fmt: skip
        assert grown.code == 0, grown.err
        troubled = Troubled(disk / "lib", sandbox, ("--all",), KEY)
        troubled.kill_at_random(8, 12, tmp_path, seed=1)
        for number in (signal.SIGTERM, signal.SIGINT):
            assert troubled.kill_after(5, tmp_path, number) == 0
        full = troubled.run(tmp_path)
        assert (full.code, "no space left" in full.err) == (25, True), full.err
        remount(disk, "size=64m")
        troubled.kill_at_random(8, 20, tmp_path, seed=2)
        ended = troubled.run(tmp_path)
        assert ended.code == 0, ended.err
        # Lost previews are requested again a day later, then three days later; those that failed an hour later.
        later = troubled.run(tmp_path, later_s=2 * 86_400)
        assert later.code == 0, later.err
        again = troubled.run(tmp_path, later_s=9 * 86_400)
        assert again.code == 0, again.err
        troubled.check_manifest()
        files = troubled.files()
        assert not [one for one in sandbox.requests() if "/previews/" in one["path"] and one["key"]]
        artefacts = [path for path in troubled.previews.iterdir() if path.is_file()]
        assert not [path for path in artefacts if KEY.encode() in path.read_bytes()]
        print(f"\n{'run':<90} | requests | files | half")
        print("\n".join(troubled.seen))
        print(f"statuses: {dict(troubled.statuses())}; files: {len(files)} of {SOUNDS}")
    whole = Sandbox(GeneratedCatalogue(SOUNDS, 7), clock=SystemClock())
    for path in {one["path"] for one in sandbox.requests() if "/previews/" in one["path"]}:
        sound_id = int(path.rpartition("/")[2].partition("_")[0])
        if sound_id in files:
            assert whole.load(whole.respond("GET", path, {})).body == files[sound_id]
    assert len(files) == SOUNDS
