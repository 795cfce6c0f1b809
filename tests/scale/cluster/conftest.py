"""Ray on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import ray
import ray.data


@pytest.fixture(scope="package")
def cluster() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=4, object_store_memory=200 << 20, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
