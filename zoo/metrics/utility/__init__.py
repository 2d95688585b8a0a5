"""Is it useful? What networks that are tested on real patients gain from samples."""
