"""A list of sounds: every form in which public data sets name them, and what is refused."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.errors import HarvesterError, LibraryNotFetched, SettingsError
from harvester.importing import IdList, read_id_list
from harvester.importing.sound_names import read_name
from harvester.model import LARGEST_ID


def read(tmp_path: Path, content: str | bytes, column: str = "", name: str = "list") -> IdList:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_id_list(path, column)


def refused(tmp_path: Path, content: str | bytes, column: str = "") -> str:
    with pytest.raises(HarvesterError) as caught:
        read(tmp_path, content, column)
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'list'}: ")
    assert "\n" not in text
    assert len(text) < 600
    return text.removeprefix(f"{tmp_path / 'list'}: ")


@pytest.mark.parametrize(
    ("text", "sound_id"),
    [
        ("180913", 180913),
        (" 180913 ", 180913),
        ("180913.0", 180913),
        ("180913__user__a name.wav", 180913),
        ("180913__some__one__name.AIFF", 180913),
        ("audio/dev/64760.wav", 64760),
        ("audio\\dev\\64760.wav", 64760),
        ("64760.npy", 64760),
        ("180913_71257-hq.mp3", 180913),
        ("180913_71257-lq.ogg", 180913),
        ("425998_9497060.wav.wav", 425998),
        ("425998_9497060.aiff.wav", 425998),
        ("100032-3-0-0.wav", 100032),
        ("1-100032-A-0.wav", 100032),
        ("https://freesound.org/people/Some%20One/sounds/180913/", 180913),
        ("http://www.freesound.org/people/U/sounds/180913", 180913),
        ("https://freesound.org/people/U/sounds/180913/download/180913__U__x.wav", 180913),
        ("/people/U/sounds/180913/", 180913),
        ("freesound.org/s/180913/?page=2#comments", 180913),
        ("https://freesound.org/apiv2/sounds/180913/similar/?page=2", 180913),
        ("https://cdn.freesound.org/previews/180/180913_71257-hq.mp3", 180913),
        ("https://sandbox.invalid/people/U/sounds/17/", 17),
        (str(LARGEST_ID), LARGEST_ID),
        # No name of a sound: another number, another site, or a look-alike.
        (str(LARGEST_ID + 1), None),
        ("0", None),
        ("-5", None),
        ("+5", None),
        ("007", None),
        ("5e3", None),
        ("1_000", None),
        ("\u0665\u0665", None),
        ("00044347.wav", None),
        ("001ca53d.wav", None),
        ("track 5.wav", None),
        ("5-kick.wav", None),
        ("kick_5.wav", None),
        ("425998_9497060.wav", None),
        ("1-0100032-A-0.wav", None),
        ("6-100032-A-0.wav", None),
        ("100032-30-0-0.wav", None),
        ("180913__user.wav", None),
        ("https://soundbible.com/2219-Airplane.html", None),
        ("https://example.org/sounds/64760.wav", None),
        ("https://freesound.org.evil.example/s/5/", None),
        ("https://notfreesound.org/s/5/", None),
        ("https://freesound.org@evil.example/s/5/", None),
        ("https://freesound.org/people/U/packs/77/", None),
        ("https://freesound.org/people/5/", None),
        ("Not found", None),
    ],
)
def test_only_a_form_without_doubt_names_a_sound(text: str, sound_id: int | None) -> None:
    named = read_name(text)
    assert (named and named[0]) == sound_id


CLOTHO = (
    b"file_name,keywords,sound_id,sound_link,license\r\n"
    + b"".join(
        b'"Caf\xe9 %d, 3.wav",a;b,%d,https://freesound.org/people/U/sounds/%d/,x\r\n' % (one, one, one)
        for one in range(101, 110)
    )
    + b"gone.wav,c,Not found,Not found,x\r\n"
)
WAVCAPS = {
    "num_captions_per_audio": 1,
    "data": [
        {
            "id": "180913",
            "caption": "1 bird",
            "href": "/people/U/sounds/180913/",
            "download_link": "https://x.example/",
        },
        {"id": "7", "caption": "x", "href": "https://freesound.org/people/U/sounds/7/", "download_link": None},
    ],
}


@pytest.mark.parametrize(
    ("content", "sound_ids", "rows", "form"),
    [
        ("5\n3\n5\n", (3, 5), 3, "numbers in its lines"),
        ("\ufeff# my sounds\r\n5\r\n\r\n3", (3, 5), 2, "numbers in its lines"),
        ("5\r3\r", (3, 5), 2, "numbers in its lines"),
        ("5, 3;7 9", (3, 5, 7, 9), 4, "numbers in its line"),
        ("/people/U/sounds/8/\n9__u__x.wav\n7", (7, 8, 9), 3, "file names and links and numbers in its lines"),
        ('fname,labels,mids,split\n64760,"A,b","/m/1,/m/2",train\n16399,C,/m/3,val\n', (16399, 64760), 2,
         "numbers in the column fname"),
        ("filename,fold,target,category,esc10,src_file,take\n1-100032-A-0.wav,1,0,dog,True,100032,A\n", (100032,), 1,
         "numbers in the column src_file"),
        ("slice_file_name,fsID,start\n100032-3-0-0.wav,100032,0.0\n100032-3-0-1.wav,100032,1.0\n7-2-0-0.wav,7,0\n",
         (7, 100032), 3, "numbers in the column fsID"),
        (CLOTHO, tuple(range(101, 110)), 10, "numbers in the column sound_id"),
        (json.dumps(WAVCAPS), (7, 180913), 2, "numbers in the field id"),
        (json.dumps({"64760": {"title": "5"}, "16399": {}}), (16399, 64760), 2,
         "numbers in the keys of its JSON object"),
        (json.dumps({"425998_9497060.wav.wav": {}}, indent=1), (425998,), 1,
         "file names in the keys of its JSON object"),
        ("sound_id,class,class_idx,confidence\n1234,fx-a,3,1.0\n", (1234,), 1, "numbers in the column sound_id"),
        ("[5, 3.0, \"7\", \"/s/9/\"]", (3, 5, 7, 9), 4, "links and numbers in the items of its JSON list"),
        ('{"id": 5, "url": "https://freesound.org/people/U/sounds/5/"}\n\n{"id": 6}\n', (5, 6), 2,
         "numbers in the field id"),
        ('{"name": "x", "id": 5}', (5,), 1, "numbers in the field id"),
        ('{"a": {"freesound_id": "5"}, "b": {"freesound_id": null}, "c": {"freesound_id": NaN}}', (5,), 3,
         "numbers in the field freesound_id"),
        ('{"nodes": [{"id": 5}], "edges": []}', (5,), 1, "numbers in the field id"),
        ('a "quoted name\tid\n1"2\t7\n"x\t8\n', (7, 8), 2, "numbers in the column id"),
        ("id|name\n7|x\n", (7,), 1, "numbers in the column id"),
        ("name,url\na\u2028b,/s/7/\n", (7,), 1, "links in the column url"),
        ("freesound_id,url\n7,https://example.org/7\n", (7,), 1, "numbers in the column freesound_id"),
        ("fname,freesound_id\n00044347.wav,7\n", (7,), 1, "numbers in the column freesound_id"),
    ],
)  # fmt: skip
def test_known_data_sets_give_their_ids(
    tmp_path: Path, content: str | bytes, sound_ids: tuple[int, ...], rows: int, form: str
) -> None:
    found = read(tmp_path, content)
    assert (found.sound_ids, found.rows, found.form) == (sound_ids, rows, form)


def test_a_named_column_is_read_in_any_case(tmp_path: Path) -> None:
    table = "id,Mine\n1,100\n2,200\n"
    assert read(tmp_path, table, "mine").sound_ids == (100, 200)
    assert read(tmp_path, '[{"id": 1, "Mine": "100"}]', "Mine").sound_ids == (100,)
    assert "no column 'other' for --column; its columns are id, Mine" in refused(tmp_path, table, "other")
    assert "no column 'id' for --column" in refused(tmp_path, "1\n2\n", "id")
    assert "--column" in refused(tmp_path, "[1, 2]", "id")


def test_what_the_file_says_is_told_in_one_line(tmp_path: Path) -> None:
    found = read(tmp_path, CLOTHO)
    assert found.line == "10 rows gave 9 ids: numbers in the column sound_id"
    assert found.notices == ("1 of 10 rows say that they have no sound of Freesound",)
    found = read(tmp_path, "".join(f"{one}\n" for one in range(1, 10)) + "what?\n")
    assert found.notices == ("1 of 10 rows name no sound and were left out; the first is row 10 has 'what?'",)
    assert read(tmp_path, "7").line == "1 row gave 1 id: numbers in its lines"


KAGGLE = "fname,label,manually_verified\n00044347.wav,Hi-hat,0\n12345678.wav,Bark,1\n001ca53d.wav,Saxophone,1\n"
SOUNDBIBLE = {"data": [{"id": "2219", "href": "https://soundbible.com/2219-Airplane.html"}]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (KAGGLE, "'00044347.wav' in the column fname is a name that FSDKaggle made up"),
        ("".join(f"{one}8765432.wav\n" for one in range(1, 10)) * 20 + "001ca53d.wav", "FSDKaggle made up"),
        (json.dumps(SOUNDBIBLE), "its link leads to 'https://soundbible.com"),
        (json.dumps({"data": [{"id": "2219", "caption": "x"}]}), "as a text, without a link"),
        ("id,href\n5,/people/U/sounds/6/\n", "its link leads to sound 6"),
        ("filename,label\n5-kick.wav,3\n", "name it with --column: filename, label"),
        ("64760,3\n64761,4\n", "name it with --column"),
        ("64760 3\n64761 4\n", "only 0 of 2 rows name a sound in its lines (row 1 has '64760 3')"),
        ('[{"file": "1.wav"}]', "name it with --column: file"),
        ('{"file": "1.wav"}', "name it with --column: file"),
        ("{}", "it holds no row"),
        ("[]", "it holds no row"),
        ("", "it names no sound"),
        ("# nothing\n", "it names no sound"),
        ("id,name\n", "it holds no row in the column id"),
        ("sound_id\nNot found\n", "only 0 of 1 rows"),
        ("fname,a\n" + "".join(f"{one},x\n" for one in range(1, 9)) + "what,x\nwho,x\n", "only 8 of 10 rows"),
        ('id,name\n5,"open\n6,x\n', "its table or JSON cannot be read"),
        ('{"5": ', "it is not JSON"),
        ('{"id": 5}\n{"id": \n', "line 2 is not JSON"),
        ("<html><body>5</body></html>", "only 0 of"),
        # Hostile files.
        ("5\n\x006\n", "save the list as UTF-8"),
        ("5\n6\n".encode("utf-16"), "it is a text in UTF-16"),
        (b"5\n\xff6\n", "line 2 is not UTF-8"),
        (b'["\xff"]', "line 1 is not UTF-8"),
        (b"sound_id,x\n\xff,5\n", "has '\\udcff'"),
        ("9" * 5_000, "only 0 of 1 rows"),
        (f"[{'9' * 5_000}]", "only 0 of 1 rows"),
        ('{"id": 1e400}', "only 0 of 1 rows"),
        ("[true, false]", "only 0 of 2 rows"),
        ("[" * 100_000, "nested too deeply"),
        ("7" * 2_000_000, "a line of more than 1,048,576 characters"),
        ("id,x\n5," + "y" * 200_000 + "\n", "its table or JSON cannot be read"),
        (b"PK\x03\x04\x00", "it is a ZIP archive"),
    ],
)
def test_any_other_list_is_refused_with_what_to_do(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in refused(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "column", "told"),
    [
        ('id,name\n5,"open\n6,x\n', "",
         "its table or JSON cannot be read (unexpected end of data); save the file again"),
        ("[" * 100_000, "", "its table or JSON cannot be read (it is nested too deeply); save the file again"),
        ("sound_id\nNot found\n", "", "only 0 of 1 rows name a sound in the column sound_id; "
         "name the column of the ids with --column: sound_id"),
        ("Mine,mine\n1,2\n", "MINE", "several columns have the name 'MINE' for --column; its columns are Mine, mine"),
        (",\n1,2\n", "",
         "no column is known to hold ids of Freesound; name it with --column: (it has none)"),
        (",".join(f"c{one}" for one in range(12)) + "\n1,2\n", "z", "there is no column 'z' for --column; "
         "its columns are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11"),
        (",".join(f"c{one}" for one in range(13)) + "\n1,2\n", "z", "there is no column 'z' for --column; "
         "its columns are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, ..."),
        ("c" * 41 + ",d\n1,2\n", "",
         f"no column is known to hold ids of Freesound; name it with --column: {'c' * 40}, d"),
        ("x" * 58, "", f"only 0 of 1 rows name a sound in its line (row 1 has '{'x' * 58}'); "
         "write one id, link or file name a line"),
        ("x" * 59, "", f"only 0 of 1 rows name a sound in its line (row 1 has '{'x' * 56}...); "
         "write one id, link or file name a line"),
        ("id,href\n5,/people/U/sounds/6/\n", "", "only 0 of 1 rows name a sound in the column id (row 1 has '5', but "
         "its link leads to sound 6); name the column of the ids with --column: id, href"),
        (json.dumps(SOUNDBIBLE), "", "only 0 of 1 rows name a sound in the field id (row 1 has '2219', but its link "
         "leads to 'https://soundbible.com/2219-Airplane.html'); name the column of the ids with --column: id, href"),
        (json.dumps({"data": [{"id": "2219"}]}), "", "only 0 of 1 rows name a sound in the field id (row 1 has '2219' "
         "as a text, without a link to Freesound that says whose id it is); "
         "name the column of the ids with --column: id"),
        # Half of the rows say that they have no sound, and a fifth of the others names none.
        ("fsid\n" + "Not found\n" * 5 + "1\n2\n3\n4\nwhat\n", "", "only 4 of 10 rows name a sound in the column fsid "
         "(row 10 has 'what'); name the column of the ids with --column: fsid"),
        ("\ufeff\u4e2d".encode("utf-16-le"), "", "it is a text in UTF-16, not a text in UTF-8; save the list as UTF-8"),
        ("\ufeff\u4e2d".encode("utf-16-be"), "", "it is a text in UTF-16, not a text in UTF-8; save the list as UTF-8"),
    ],
)  # fmt: skip
def test_the_whole_line_of_a_refusal(tmp_path: Path, content: str | bytes, column: str, told: str) -> None:
    assert refused(tmp_path, content, column) == told


def test_nine_of_ten_rows_must_name_a_sound(tmp_path: Path) -> None:
    def lines(sounds: int) -> str:
        return "".join(f"{number}\n" for number in range(1, sounds + 1)) + "what\n" * (1_000 - sounds)

    assert len(read(tmp_path, lines(900)).sound_ids) == 900
    assert refused(tmp_path, lines(899)).startswith("only 899 of 1,000 rows name a sound in its lines (row 900 has")


def test_rows_that_say_they_have_no_sound_do_not_count_as_bad(tmp_path: Path) -> None:
    found = read(tmp_path, '\n [{"id": 5, "url": "n/a"}, {"id": null}, {"id": "Not found"}, {"id": " - "}]')
    assert (found.sound_ids, found.rows) == ((5,), 4)
    assert found.notices == ("3 of 4 rows say that they have no sound of Freesound",)


def test_files_that_are_no_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_id_list(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: it cannot be read (No such file or directory)"
    with pytest.raises(SettingsError, match="directory"):
        read_id_list(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"\); pipe it into standard input, and give - as the file$"):
        read_id_list(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(SettingsError, match="more than 536870912"):
        read_id_list(tmp_path / "large")
    with pytest.raises(LibraryNotFetched, match=rf"^{tmp_path / 'list'}.*git lfs pull"):
        read(tmp_path, "version https://git-lfs.github.com/spec/v1\n")


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"fsid\n7\n")))
    assert read_id_list("-").sound_ids == (7,)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SettingsError, match="standard input: it names no sound"):
        read_id_list("-")


def test_standard_input_is_read_to_its_limit_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.importing.id_list._LARGEST_BYTES", 4)
    stdin = io.BytesIO(b"123\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    assert read_id_list("-").sound_ids == (123,)
    stdin = io.BytesIO(b"1234\n5678\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    with pytest.raises(SettingsError) as caught:
        read_id_list("-")
    assert str(caught.value) == "standard input: it has more than 4 bytes; list the ids alone, one a line"
    assert stdin.tell() == 5


@given(st.one_of(st.text(), st.binary(), st.from_regex(r"[\[{\"\d,:}\] \n\ta-d]*", fullmatch=True)))
def test_any_content_gives_a_list_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-list"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))
    found, refusal = None, ""
    try:
        found = read_id_list(path)
    except HarvesterError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if found is not None:
        assert found.sound_ids == tuple(sorted(set(found.sound_ids)))
        assert 0 < len(found.sound_ids) <= found.rows
