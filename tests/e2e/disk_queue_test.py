"""The disk queue from outside: what is acknowledged survives kills, restarts and a destination that comes and goes."""
import pytest

from torture.rig import Rig


@pytest.mark.parametrize("seed, fsync", [(1, False), (2, True)])
def test_nothing_acknowledged_is_lost(seed, fsync, tmp_path):
    rig = Rig(tmp_path, seed, fsync)
    for _ in range(25):
        rig.round()
    report = rig.settle()
    rig.close()
    print(report)
    assert report["acknowledged"] > 0
    assert (report["missing"], report["wrong"]) == (0, 0)
