"""aimock: a server of all vendors' wires that nobody here wrote. npm's package, at the version and hash of package-lock.json."""
