"""Properties are checked without a deadline: a busy machine makes an example slow, and no promise is about that."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")
