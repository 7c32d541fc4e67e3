"""What `harvester browse --open` does where no browser is."""

from __future__ import annotations

import webbrowser

import pytest

from harvester.cli.commands import browse

TOLD = "no browser could be opened: go to this address yourself\n"


@pytest.mark.parametrize(("is_open", "told"), [(True, ""), (False, TOLD)])
def test_a_browser_that_cannot_be_opened_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_open: bool, told: str
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: is_open)
    browse._show("http://127.0.0.1:1/token/")
    assert capsys.readouterr().err == told
