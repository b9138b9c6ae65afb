"""Plugins: how they are found, loaded, named and called, whatever it is that they do."""
