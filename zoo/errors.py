"""The one exception that a user's bad input may raise."""


class ZooError(ValueError):
    """Bad input, told in one line that names the file or field and what was expected.

    The command line prints the message and exits with code 2; a library user catches it like any `ValueError`.
    """
