"""What is made up for a caller: names and request ids."""

import os
import re

from kernel.commands import DRAWN, _made_up, new_id


def test_what_is_made_up_never_comes_twice_however_much_is_drawn() -> None:
    names = [new_id() for _ in range(3 * DRAWN)]
    requests = [_made_up() for _ in range(3 * DRAWN)]
    assert len({*names, *requests}) == 6 * DRAWN
    assert all(re.fullmatch("r[0-9a-f]{24}", name) for name in names)
    assert all(re.fullmatch("auto~[0-9a-f]{32}", request) for request in requests)


def test_a_process_that_branches_off_draws_for_itself() -> None:
    _made_up()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, _made_up().encode())
        os._exit(0)
    os.close(writing)  # else a child that dies leaves the reader waiting
    drawn = os.read(reading, 64).decode()
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert re.fullmatch("auto~[0-9a-f]{32}", drawn)
    assert drawn != _made_up()
