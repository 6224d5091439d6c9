"""The helpers' assertions explain themselves like those of any test."""

import pytest

pytest.register_assert_rewrite("scheduled_service")
