"""What holds for every test. Fixtures of one test file stand in it."""

pytest_plugins = ("support.skips", "support.service", "support.fuzzed", "pytester")
