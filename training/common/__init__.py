"""What the training scripts share. The scripts put their own folder on the path, so this is imported as `common`."""
