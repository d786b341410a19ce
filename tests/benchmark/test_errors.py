"""Messages about unknown names."""

from benchmark.errors import LONG, SHOWN, unknown


def test_all_names_are_listed_and_near_ones_first() -> None:
    error = unknown("fruit", "aple", ["fig", "apple", ""], "the bowl")
    assert str(error) == (
        "unknown fruit 'aple' in the bowl. Did you mean 'apple'? Known: '' (the default), apple, fig."
    )
    assert str(unknown("fruit", "a", [])) == "unknown fruit 'a'. Known: none."


def test_of_very_many_names_the_first_are_listed() -> None:
    names = [f"{i:04d}" for i in range(LONG + 1)]
    text = str(unknown("image", "0077x", names))
    assert "Did you mean '0077'" in text
    assert text.endswith(f"{', '.join(names[:SHOWN])}, ... ({LONG + 1} in all).")
