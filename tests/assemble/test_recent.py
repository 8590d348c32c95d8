"""What is held only as long as it is among the latest."""

from functools import partial

from podpath.assemble.recent import Held, Recent


def test_the_latest_are_held_and_the_oldest_forgotten():
    recent: Recent[int, str] = Recent(2)
    for number in range(5):
        recent.put(number, str(number))
    assert [recent.get(number) for number in range(5)] == [None, None, "2", "3", "4"]


def test_what_is_asked_for_stays():
    recent: Recent[int, str] = Recent(2)
    for number in range(9):
        recent.put(number, str(number))
        recent.get(0)
    assert recent.get(0) == "0"


def test_facts_are_read_again_when_they_were_forgotten():
    reads = []

    def load(name):
        reads.append(name)
        return (name, name)

    recent: Recent[str, tuple[str, ...]] = Recent(1)
    one, two, three = (Held(recent, name, partial(load, name)) for name in "abc")
    assert (len(one), one[0], list(one), one[:1], bool(one)) == (2, "a", ["a", "a"], ("a",), True)
    assert reads == ["a"]
    assert [*two, *three, *one] == ["b", "b", "c", "c", "a", "a"]
    assert reads == ["a", "b", "c", "a"]


def test_an_empty_source_is_empty():
    assert not Held(Recent(1), "a", lambda: ())
