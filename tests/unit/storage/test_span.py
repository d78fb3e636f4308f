"""A prefix and a place within it become one span of paths."""

from hypothesis import given
from hypothesis import strategies as st

from taijitu.storage.span import span

texts = st.text(st.sampled_from("a/b\0\ud7ff\ue000\U0010ffff"), max_size=4)


@given(prefix=texts, after=texts, before=texts, path=texts)
def test_a_path_is_in_the_span_if_and_only_if_it_is_asked_for(
    prefix: str, after: str, before: str, path: str
) -> None:
    low, high = span(prefix, after, before)

    asked = (
        path.startswith(prefix) and (not after or path > after) and (not before or path < before)
    )
    assert (low <= path and (high is None or path < high)) == asked


def test_a_span_ends_with_text_that_utf8_can_spell() -> None:
    _, high = span("\ud7ff", "", "")
    assert high is not None
    assert high.encode() > "\ud7ff".encode()
