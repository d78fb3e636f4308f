"""What holds for every test. Fixtures stand beside the tests that use them."""

pytest_plugins = ("support.skips", "pytester")
