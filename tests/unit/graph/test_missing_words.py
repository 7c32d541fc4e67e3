"""What a search without a hit suggests does not depend on which words are compared first, or left out as unlike."""

from __future__ import annotations

from difflib import get_close_matches

from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import missing_words
from tests.support.histories import quick

words = st.text("abc12", min_size=1, max_size=6)


@quick
@given(word=words, tokens=st.sets(words, max_size=12))
def test_leaving_out_words_without_a_common_character_changes_no_suggestion(word: str, tokens: set[str]) -> None:
    (missing,) = missing_words([word, word], lambda _: False, lambda _: sorted(tokens))
    named = " or ".join(f"'{token}'" for token in get_close_matches(word, tokens, n=2))
    assert missing.others == (f"did you mean {named}?" if named else "")
    assert not list(missing_words([word], lambda _: True, lambda _: sorted(tokens)))
