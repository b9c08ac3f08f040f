"""Options that every part of the tests knows."""
import pytest


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="with the tests that take minutes")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="long: only with --full"))
