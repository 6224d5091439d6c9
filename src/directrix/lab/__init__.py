"""Whole clusters on one machine: hosts in network namespaces, made from a small readable file."""
