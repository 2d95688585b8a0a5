"""Published models: the folder and Hub layout, loading, cards, tables and generated files.

Import from the submodules: `mixin` and `loading` need torch and diffusers, `cards` and `tables` do not.
"""
