"""The folder of a published model: its layout, saving it, loading it, and its `metrics.json`.

`layout`, `loading` and `metrics_file` import no torch until a model is loaded; `saving` and `networks` do.
"""
