"""Published for whoever builds on taijitu: the contract suites that a part of one's own must pass."""
