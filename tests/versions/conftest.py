"""The practice NAS, for the tests of versions."""

from __future__ import annotations

from tests.lab.conftest import empty_nas as empty_nas
from tests.lab.conftest import good as good
from tests.lab.conftest import lab as lab
from tests.lab.conftest import nas as nas
