"""Real servers that the tests talk to, run on free ports of the loopback from Maven artifacts."""
