"""The protocols as machines: one machine, one file, one screenful of `update`. Pure."""
