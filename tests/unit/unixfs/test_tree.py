import pytest

from taijitu.unixfs.failures import BadName, BadPath
from taijitu.unixfs.tree import DEPTH_MAX, arrange


def test_paths_become_directories_in_the_order_in_which_they_come_up() -> None:
    tree = arrange(["b/2", "a", "b/1", "./c/d/e", "/f"])
    assert tree == {"b": {"2": 0, "1": 2}, "a": 1, "c": {"d": {"e": 3}}, "f": 4}
    assert [*tree] == ["b", "a", "c", "f"]


def test_of_two_files_with_one_path_the_later_one_counts() -> None:
    assert arrange(["a", "b", "a"]) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    "paths", [["a", "a/b"], ["a/b", "a"], [""], ["/".join(["d"] * (DEPTH_MAX + 1))]]
)
def test_a_path_that_no_file_can_have_is_refused(paths: list[str]) -> None:
    with pytest.raises(BadPath):
        arrange(paths)


@pytest.mark.parametrize("path", ["a//b", "a/", "../a", "a/../b", "a/./b", "//a"])
def test_a_path_that_would_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(BadName):
        arrange([path])
