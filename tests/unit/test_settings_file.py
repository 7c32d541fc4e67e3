"""`harvester.toml` and `.env` as others may have written them: a mistake has its line, the value of no key is shown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from harvester.cli.commands.harvest import harvest
from harvester.cli.commands.map import map as draw_map
from harvester.cli.defaults import Defaults, read_defaults
from harvester.errors import SettingsError
from harvester.key_file import find_almost_keys
from harvester.settings import read_key
from harvester.settings_file import load_settings_files, user_file

COMMANDS = {"harvest": harvest, "map": draw_map, "backups": None}


def defaults_of(folder: Path, text: str, own: str = "", **environment: str) -> Defaults:
    (folder / "harvester.toml").write_text(text)
    home = folder / "config" / "harvester"
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(own)
    return read_defaults(folder, {"XDG_CONFIG_HOME": str(folder / "config")} | environment, COMMANDS)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[harvest]\n\nneighbours = 'x'\n", 3, "[harvest] neighbours: expected a whole number, got text"),
        (
            "[map]\nego=1\n[harvest]\nneighbours = true\n",
            4,
            "[harvest] neighbours: expected a whole number, got true or false",
        ),
        ("harvest.neighbours = 1.5\n", 1, "[harvest] neighbours: expected a whole number, got a number"),
        ("[harvest] # mine\n'concurrency' = 65\n", 2, "[harvest] concurrency: expected a whole number, at least 1"),
        ("[harvest]\nmax-requests = 0\n", 2, "[harvest] max-requests: expected a whole number, at least 1"),
        ("[harvest]\ncc0 = 1\n", 2, "[harvest] cc0: expected true or false, got a whole number"),
        ("[harvest]\ntag = [\n 'a', [1],\n]\n", 2, "[harvest] tag: expected text, got a list"),
        ("[harvest]\nquery = 2020-01-01\n", 2, "[harvest] query: expected text, got a date or a time"),
        ("[harvest]\ntag = ['a',\n 'b']\nbogus = 1\n", 4, "[harvest] has no setting 'bogus'"),
        ("[map]\nhelp = true\n", 2, "[map] has no setting 'help'"),
        ("[harvest]\nmax-request = 1\n", 2, "[harvest] has no setting 'max-request'; did you mean max-requests?"),
        ("a = 1\n[other]\n", 1, "'a' is not a table of settings"),
        ("\n[other]\n", 2, "'other' is not a table of settings"),
        ("[backups]\nlist = 1\n", 2, "[backups] has no setting 'list'"),
        ("[harvest]\nneighbours = 1\nneighbours = 2\n", 3, "Cannot overwrite a value"),
        ("[harvest\n", 1, "Expected ']'"),
        ("[harvest]\nquery = '''", 2, "Expected"),
        ("harvest = 1\n", 1, "'harvest' is not a table of settings"),
        (
            "harvest.cc0 = true\nharvest.neighbours = 1.5\n",
            2,
            "[harvest] neighbours: expected a whole number, got a number",
        ),
        ("[harvest]\nmax-duration = inf\n", 2, "[harvest] max-duration: expected text, got inf"),
        ("[harvest]\ntime-limit = 'soon'\n", 2, "[harvest] time-limit: "),
        ("[map]\nlibrary = 'a'\n[harvest]\nlibrary = '/b'\n", 4, "[harvest] library: a path in this file must lie"),
        ("[harvest]\nlibrary = '/elsewhere'\n", 2, "[harvest] library: a path in this file must lie within"),
        ("[map]\nout = 'a/../../x'\n", 2, "[map] out: a path in this file must lie within"),
        ("[harvest]\nlibrary = '~/x'\n", 2, "[harvest] library: a path in this file must lie within"),
        ('[harvest]\nlibrary = "a\\u0000b"\n', 2, "[harvest] library: a text here must not hold the character NUL"),
        ('[map]\nout = "a\\u0000b"\n', 2, "[map] out: a text here must not hold the character NUL"),
        ("[harvest]\ni_have_permission = true\n", 2, "only you can set this"),
    ],
)
def test_a_mistake_is_told_with_file_line_table_and_key(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        defaults_of(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'harvester.toml'}:{line}: ")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[harvest]\nquery = '\xff'\n", ":2: it is not UTF-8 text"),
        (b"a = " + b"[" * 5000, "nested too deep"),
        (b"a = " + b"9" * 5000, "a value is not possible"),
        (b"#" * 70_000, "more than 65536"),
    ],
)
def test_what_is_no_settings_file_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "harvester.toml").write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load_settings_files(tmp_path, {})
    assert told in str(refused.value)


def test_the_users_own_file_comes_second_and_may_say_everything(tmp_path: Path) -> None:
    own = "[harvest]\nlibrary = '/elsewhere'\nneighbours = 1\ni-have-permission = true\n"
    found = defaults_of(tmp_path, "\ufeff[harvest]\nneighbours = 2\n", own)
    assert found.by_command == {"harvest": {"library": "/elsewhere", "neighbours": 2, "i_have_permission": True}}


@pytest.mark.parametrize(
    ("address", "own", "environment", "allowed"),
    [
        ("https://evil.invalid/apiv2/", "", {}, False),
        ("https://freesound.org.evil.invalid/apiv2/", "", {}, False),
        ("https://freesound.org:8443/apiv2/", "", {}, False),
        ("http://freesound.org/apiv2/", "", {}, False),
        ("not an address", "", {}, False),
        ("https://freesound.org/apiv2", "", {}, True),
        ("http://127.0.0.1:8000/apiv2/", "", {}, True),
        ("http://[::1]:8000/", "", {}, True),
        ("https://team.invalid/apiv2", "[map]\n[harvest]\napi_url = 'https://TEAM.invalid:443/apiv2/'\n", {}, True),
        ("https://team.invalid/apiv2", "", {"HARVESTER_PLAN_API_URL": "https://team.invalid/apiv2/"}, True),
        ("https://team.invalid/apiv2", "[harvest]\napi_url = 'https://other.invalid/apiv2/'\n", {}, False),
    ],
)
def test_the_working_folder_does_not_decide_where_the_key_goes(
    tmp_path: Path, address: str, own: str, environment: dict[str, str], allowed: bool
) -> None:
    found = defaults_of(tmp_path, f"[harvest]\napi_url = '{address}'\n", own, **environment)
    if allowed:
        found.check_address("harvest")
        return
    with pytest.raises(SettingsError) as refused:
        found.check_address("harvest")
    assert str(refused.value).startswith(f"{tmp_path / 'harvester.toml'}:2: [harvest] api_url: ")


def test_the_users_own_file_lies_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("platformdirs.PlatformDirs", Unix)
    assert user_file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/harvester/config.toml")
    for named in ("", "relative/path"):
        monkeypatch.setenv("XDG_CONFIG_HOME", named)
        assert user_file({"XDG_CONFIG_HOME": named}) == tmp_path / ".config/harvester/config.toml"


def test_on_macos_the_users_own_file_lies_in_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("platformdirs.PlatformDirs", MacOS)
    assert user_file({}) == tmp_path / "Library/Application Support/harvester/config.toml"
    earlier = tmp_path / ".config/harvester/harvester.toml"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    assert user_file({}) == earlier


def test_the_earlier_name_of_the_users_own_file_is_read_while_it_is_alone(tmp_path: Path) -> None:
    (tmp_path / "harvester").mkdir()
    earlier, own = tmp_path / "harvester" / "harvester.toml", tmp_path / "harvester" / "config.toml"
    earlier.write_text("[harvest]\nlibrary = '/elsewhere'\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert [(file.path, file.trusted) for file in load_settings_files(tmp_path, environment)] == [(earlier, True)]
    own.touch()
    with pytest.raises(SettingsError) as refused:
        load_settings_files(tmp_path, environment)
    assert str(refused.value) == f"{earlier}: it is not read beside {own}; move its settings there and delete it"


def test_a_file_that_the_user_names_is_read_alone_and_may_say_everything(tmp_path: Path) -> None:
    named = tmp_path / "mine.toml"
    named.write_text("[harvest]\nlibrary = '/elsewhere'\napi-url = 'https://team.invalid/apiv2/'\n")
    (tmp_path / "harvester.toml").write_text("[harvest]\nneighbours = 2\nlibrary = 'here'\n")
    (tmp_path / "harvester").mkdir()
    (tmp_path / "harvester" / "config.toml").write_text("[harvest]\nconcurrency = 2\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert read_defaults(tmp_path, environment, COMMANDS).by_command["harvest"] == {
        "concurrency": 2, "neighbours": 2, "library": "here",
    }  # fmt: skip
    found = read_defaults(tmp_path, environment, COMMANDS, named)
    assert found.by_command == {"harvest": {"library": "/elsewhere", "api_url": "https://team.invalid/apiv2/"}}
    found.check_address("harvest")
    # The file of the working folder too, once the user has named it.
    named = tmp_path / "harvester.toml"
    named.write_text("[harvest]\nlibrary = '/elsewhere'\n")
    assert read_defaults(tmp_path, environment, COMMANDS, named).by_command == {"harvest": {"library": "/elsewhere"}}


def test_a_file_that_the_user_names_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_defaults(tmp_path, {}, COMMANDS, tmp_path / "none.toml")
    assert str(refused.value) == f"{tmp_path / 'none.toml'}: there is no such file"


def test_the_working_folder_may_hold_the_users_own_file(tmp_path: Path) -> None:
    # Its earlier name is also that of the file of a working folder, which is not trusted.
    home = tmp_path / "harvester"
    home.mkdir()
    (home / "harvester.toml").write_text("[harvest]\nlibrary = '/elsewhere'\n")
    (file,) = load_settings_files(home, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert file.trusted


KEY = "abcdefghij" * 4


@pytest.mark.parametrize(
    "line",
    [
        f"FREESOUND_TOKEN={KEY}", f"FREESOUND-API-KEY={KEY}", f"freesound_api_key={KEY}", f"FREESOUND_API_KEY: {KEY}",
        f"set FREESOUND_API_KEY={KEY}", f"setenv FREESOUND_API_KEY {KEY}", f'"FREESOUND_API_KEY"="{KEY}"',
        f"$env:FREESOUND_API_KEY={KEY}", f"- FREESOUND_API_KEY={KEY}", f'{{"freesound": {{"key": "{KEY}"}}}}',
        "FREESOUND_API_KEY", KEY, f"FREESOUND_CLIENT_SECRET={KEY}", f"API_KEY={KEY}", f"export TOKEN='{KEY}'",
        f"FRESOUND_API_KEY={KEY}", f"FREESOUNDAPIKEY = {KEY} # mine",
    ],
)  # fmt: skip
def test_a_key_that_is_written_almost_right_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# FREESOUND_API_KEY=…\nOTHER=1\r\n{line}\n")
    assert read_key({}, tmp_path) is None
    told = f"{tmp_path / '.env'}:3: not read as FREESOUND_API_KEY; write FREESOUND_API_KEY=…"
    assert find_almost_keys(tmp_path) == [told]
    (tmp_path / ".env").write_text(f"{line}\nFREESOUND_API_KEY={KEY}\n")
    assert read_key({}, tmp_path) == KEY
    assert find_almost_keys(tmp_path) == []


@pytest.mark.parametrize(
    "line", [f"GITHUB_TOKEN={KEY}", f"AWS_SECRET={KEY}", "API_KEY=", "# FREESOUND_KEY=x", "A='\nFREESOUND_KEY=\n'"]
)
def test_the_key_of_another_service_is_not_named(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    assert (read_key({}, tmp_path), find_almost_keys(tmp_path)) == (None, [])


@pytest.mark.parametrize(
    "line", ["FREESOUND_API_KEY=", "export FREESOUND_API_KEY = ''", 'FREESOUND_API_KEY="" # later']
)
def test_an_empty_key_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"\n\n{line}\n")
    assert read_key({}, tmp_path) is None
    assert find_almost_keys(tmp_path) == [
        f"{tmp_path / '.env'}:3: FREESOUND_API_KEY is empty; write the key after the ="
    ]


@pytest.mark.parametrize("value", ['"abc', "'abc", '"abc" mine', "'a'b"])
def test_a_key_whose_quotes_do_not_close_is_refused_with_its_line_and_not_shown(tmp_path: Path, value: str) -> None:
    (tmp_path / ".env").write_text(f"A=1\r\nexport FREESOUND_API_KEY = {value}\r\n")
    with pytest.raises(SettingsError) as refused:
        read_key({}, tmp_path)
    assert (
        str(refused.value) == f"{tmp_path / '.env'}:2: FREESOUND_API_KEY cannot be read; check the quotes of this line"
    )


@pytest.mark.parametrize("value", ["“abc”", "a\u200bbc", "abc;", "<your key>", "a\0b", "…", "a b"])
def test_a_value_that_no_key_has_is_refused_with_its_line_and_not_shown(tmp_path: Path, value: str) -> None:
    (tmp_path / ".env").write_text(f"\nFREESOUND_API_KEY={value}\n")
    with pytest.raises(SettingsError) as refused:
        read_key({}, tmp_path)
    assert f"{tmp_path / '.env'}:2 holds characters that no key has" in str(refused.value)
    assert value.strip('"“”<>;') not in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfFREESOUND_API_KEY=abc\r\n")
    assert read_key({}, tmp_path) == "abc"


def test_a_key_file_that_is_none_is_told_and_a_folder_of_that_name_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    for content, told in ((b"A=1\n\xff\xfe", f"{path}:2: it is not UTF-8"), (b"#" * 70_000, "more than 65536")):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=told):
            read_key({}, tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SettingsError, match="a FIFO"):
        read_key({}, tmp_path)
    path.unlink()
    path.mkdir()
    assert read_key({}, tmp_path) is None


@pytest.mark.parametrize("line", ["freesound" * 7000, "A=" + " " * 60_000 + "x", "A=" + '"' * 60_000, " " * 65_000])
def test_a_long_line_takes_no_time(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    began_s = time.process_time()
    assert read_key({}, tmp_path) is None
    find_almost_keys(tmp_path)
    assert time.process_time() - began_s < 2  # a rule that takes the square of the length takes minutes


@pytest.mark.parametrize(
    "text", ["a{0}=1", "[harvest]\nx = {{a{0} = 1}}", "[a{0}]", "[[a{0}]]", "b = {{c = 1, a{0} = 1}}"]
)
def test_a_name_of_very_many_parts_is_refused_before_it_is_parsed(tmp_path: Path, text: str) -> None:
    began_s = time.process_time()
    with pytest.raises(SettingsError, match=r"harvester.toml:\d: a name has more than 9 parts"):
        defaults_of(tmp_path, text.format(".a" * 30_000))
    assert time.process_time() - began_s < 1


def test_dots_in_values_are_no_parts_of_a_name(tmp_path: Path) -> None:
    text = "[harvest]\nquery = 'a.b.c.d.e.f.g.h.i.j.k.l=m'\nfilter = 'id:1' # a.b.c.d.e.f.g.h.i.j.k\n"
    assert defaults_of(tmp_path, text).by_command["harvest"]["query"] == "a.b.c.d.e.f.g.h.i.j.k.l=m"


def test_an_option_is_set_by_each_of_its_names(tmp_path: Path) -> None:
    for name in ("out", "output"):
        assert defaults_of(tmp_path, f"[map]\n{name} = 'm.html'\n").by_command == {"map": {"out": "m.html"}}
