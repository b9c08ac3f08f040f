"""The disk queue from outside: what is acknowledged survives kills, restarts, failing and full disks, and a destination that comes and goes."""
import pytest

from torture.outage import Outage
from torture.rig import MEMORY_LIMIT_KIB, Rig


@pytest.mark.parametrize("seed, disk, fsync, rounds", [(1, "plain", False, 8), (2, "plain", True, 6), (3, "faulty", True, 8), (4, "small", False, 6)])
def test_nothing_acknowledged_is_lost(seed, disk, fsync, rounds, tmp_path):
    with Rig(tmp_path, seed, fsync, disk) as rig:
        if rig.refusal:
            pytest.skip(rig.refusal)
        for _ in range(rounds):
            rig.round()
        report = rig.settle()
    print(report)
    assert report["acknowledged"] > 0
    assert (report["missing"], report["wrong"]) == (0, 0)


def test_an_outage_costs_disk_and_not_memory(tmp_path):
    """The short form of ./dev torture --dead-destination."""
    with Outage(tmp_path) as dead:
        report = dead.run(0.05)
    assert report["accepted"] > 0
    assert (report["missing"], report["doubled"], report["refused"]) == (0, 0, 0)
    assert report["disk_mib_peak"] >= report["accepted"] * 400 >> 20
    assert report["rss_kib_peak"] < MEMORY_LIMIT_KIB
