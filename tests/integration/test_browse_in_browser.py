"""The served page as its reader meets it: in a real browser, beside a harvest that is running."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from harvester.model import Related, Seen
from tests.support.browser import BROWSER, Page, open_page
from tests.support.browsing import browsing
from tests.support.processes import run, sandbox_process, start, wait_until
from tests.support.samples import NOW_US, SOURCE, grow, open_store
from tests.support.view_samples import BY, CC0, make_record

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

IDS = "JSON.parse(document.querySelector('#sounds').textContent).ids"

OPENED = "new URLSearchParams(location.hash.slice(1)).get('sound')"


async def until(page: Page, condition: str) -> Any:
    """Wait until a condition of the page holds; return its value."""
    return await asyncio.wait_for(
        page.ask(
            f"new Promise(done => {{ const look = () => {{ const value = {condition};"
            " value ? done(value) : setTimeout(look, 20); }; look(); })"
        ),
        30,
    )


async def search(page: Page, text: str) -> list[str]:
    found: list[str] = await page.ask(
        "(text => { const field = document.querySelector('#query'); field.value = text;"
        " field.dispatchEvent(new Event('input'));"
        f" return [...document.querySelectorAll('#results .name')].map(one => one.textContent); }})({json.dumps(text)})"
    )
    return found


def test_new_sounds_appear_beside_a_harvest_and_what_the_reader_does_stays(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 200) as sandbox:
        work = ("harvest", "--api-url", sandbox.url, "--level", 99, "--library", "lib", "--samples")
        assert run(*work, 4, cwd=tmp_path).code == 0
        with browsing(tmp_path, "--library", "lib") as browsed:
            known = set(browsed.changes()["data"]["sounds"]["ids"])

            async def walk() -> list[str]:
                async with open_page() as page:
                    await page.window(1280, 800)
                    await page.visit(browsed.address)
                    await page.settled()
                    before = await page.ask("document.querySelector('#counts').textContent")
                    await page.click(*await page.ask(f"placeOf({IDS}.at(-1))"))
                    name = await page.ask("document.querySelector('#card h2').textContent")
                    # The reader has moved the view: it must not jump back when sounds come.
                    await page.mouse("Wheel", 640, 400, deltaX=0, deltaY=-120)
                    await page.settled()
                    with start(*work, 12, cwd=tmp_path) as harvest:
                        await until(page, f"document.querySelector('#counts').textContent !== {json.dumps(before)}")
                        await asyncio.to_thread(harvest.communicate)
                    ids = await asyncio.to_thread(last_ids)
                    await until(page, f"document.querySelector('#counts').textContent.startsWith('{len(ids)} sounds')")
                    assert await page.ask("document.querySelector('#card h2').textContent") == name
                    assert not await page.ask("document.querySelector('#card').hidden")
                    assert "new at" in await page.ask("document.querySelector('#live').textContent")
                    # A sound that came is found, and has a place in the window's reach.
                    new = next(one for one in ids if one not in known)
                    assert len(await search(page, str(new))) >= 1
                    assert len(await page.ask(f"placeOf({new})")) == 2
                    # The legend counts it too.
                    counted = await page.ask(
                        "[...document.querySelectorAll('#legend small')].map(one => parseInt(one.textContent))"
                    )
                    assert sum(counted) == len(ids)
                    # A sound that leaves gives the others new numbers: the card stays with its own.
                    opened, address = await page.ask(f"[{OPENED}, location.hash]")
                    lost = ids[0]
                    assert str(lost) != opened
                    await asyncio.to_thread(run, "forget", lost, "--yes", "--library", "lib", cwd=tmp_path)
                    await until(page, f"placeOf({lost}) === null")
                    assert await page.ask("document.querySelector('#card h2').textContent") == name
                    await page.press("+")
                    await until(page, f"location.hash !== {json.dumps(address)}")
                    assert await page.ask(OPENED) == opened
                    browsed.process.terminate()
                    assert await until(page, "document.querySelector('#live.problem')?.textContent") == (
                        "The server has ended: the page stays as it is."
                    )
                    return page.errors

            def last_ids() -> list[int]:
                stated = json.loads(run("status", "--library", "lib", "--json", cwd=tmp_path).out)["nodes"]
                wait_until(lambda: browsed.changes()["data"]["head"]["sounds"] == stated, what="the last sounds")
                ids: list[int] = browsed.changes()["data"]["sounds"]["ids"]
                return ids

            errors = asyncio.run(walk())
    # The browser notes by itself that the server could not be reached.
    assert [one for one in errors if "ERR_CONNECTION_REFUSED" not in one] == []


def test_what_the_reader_hides_stays_hidden_when_groups_change_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "lib"

    def add(sound_ids: range, kind: str, license: str, relation: str) -> None:
        with open_store(folder) as store:
            store.set_source(SOURCE)
            more = {"category": kind, "license": license}
            grow(store, [Seen(one, make_record(one, **more), NOW_US) for one in sound_ids])
            grow(store, [Related(one, one - 1, relation, NOW_US) for one in sound_ids[1:]])
            store.checkpoint(backup=False)

    add(range(1, 7), "Music", CC0, "user")
    add(range(7, 10), "Speech", BY, "pack")
    pressed = (
        "Object.fromEntries([...document.querySelectorAll('#legend button, #lines button')].map("
        "one => [one.querySelector('span').textContent, one.getAttribute('aria-pressed')]))"
    )
    counts = "document.querySelector('#counts').textContent"

    async def walk(address: str) -> list[str]:
        async with open_page() as page:
            await page.window(1280, 800)
            await page.visit(address)
            await page.ask(
                "(s => { s.value = 0; s.dispatchEvent(new Event('change')) })(document.querySelector('#colour'))"
            )
            for text in ("Music", "relation:user"):
                await page.ask(
                    f"[...document.querySelectorAll('#legend button, #lines button')]"
                    f".find(one => one.textContent.startsWith('{text}')).click()"
                )
            await page.ask(
                "(s => { s.value = [...s.options].find(one => one.text.startsWith('BY')).value;"
                " s.dispatchEvent(new Event('input')) })(document.querySelector('#license'))"
            )
            assert await page.ask(counts) == "3 of 9 sounds shown"
            # Now there is more speech than music, and more of this license and relation than of the other.
            await asyncio.to_thread(add, range(10, 20), "Speech", BY, "pack")
            await until(page, f"{counts}.includes(' of 19 ')")
            assert await page.ask(counts) == "13 of 19 sounds shown"
            assert await page.ask(pressed) == {
                "Speech": "true", "Music": "false", "relation:pack": "true", "relation:user": "false",
            }  # fmt: skip
            return page.errors

    with browsing(tmp_path, "--library", "lib") as browsed:
        assert asyncio.run(walk(browsed.address)) == []
