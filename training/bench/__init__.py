"""Speed, measured so that anybody can repeat it: `make bench`."""
