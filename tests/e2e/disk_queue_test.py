"""The disk queue from outside: what is acknowledged survives kills, restarts, failing and full disks, and a destination that comes and goes."""
import pytest

from torture.rig import Rig


@pytest.mark.parametrize("seed, disk, fsync, rounds", [(1, "plain", False, 8), (2, "plain", True, 6), (3, "faulty", True, 8), (4, "small", False, 6)])
def test_nothing_acknowledged_is_lost(seed, disk, fsync, rounds, tmp_path):
    rig = Rig(tmp_path, seed, fsync, disk)
    if rig.refusal:
        rig.close()
        pytest.skip(rig.refusal)
    for _ in range(rounds):
        rig.round()
    report = rig.settle()
    rig.close()
    print(report)
    assert report["acknowledged"] > 0
    assert (report["missing"], report["wrong"]) == (0, 0)
