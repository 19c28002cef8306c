"""loop-api with one more tool, which takes its time."""

from __future__ import annotations

import os
from unittest.mock import patch

from api import main
from api.settings import Settings
from api.tools import mcp_server

from tests.services.api.slow_tool import add_dawdle

with patch.object(main, "mcp_server", lambda notes: add_dawdle(mcp_server(notes))):
    app = main.create_app(Settings.from_environment(os.environ))
