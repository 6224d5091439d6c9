"""The tables of keywords: one module for each part of the language."""
