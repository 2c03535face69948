"""Fake vendors on loopback that speak the vendors' wires byte for byte: real servers, so that every layer below is real too."""
