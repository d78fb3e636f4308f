"""Published for whoever builds on taijitu: the suites that a part of one's own must pass."""
