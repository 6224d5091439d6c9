"""Puts this directory on the path of the modules in `traffic/`, which share the scenarios' language."""
