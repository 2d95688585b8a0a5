"""Talking to the Hub: what goes wrong is told in one line, in which no token ever stands."""

import contextlib
from collections.abc import Iterator

from zoo.errors import ZooError

SIGN_IN = "sign in with `hf auth login` or set HF_TOKEN"


@contextlib.contextmanager
def hub_errors(subject: str) -> Iterator[None]:
    """Turns what the Hub's client raises inside the block into a `ZooError`.

    The cause is kept only where the Hub itself has answered: an HTTP library's own words may quote request headers.

    Args:
        subject (`str`): What the message begins with, such as the id of a repo.

    Raises:
        ZooError: If the Hub refuses, has not what is asked for, or cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled

    try:
        yield
    except ZooError:
        raise
    except HfHubHTTPError as error:
        raise ZooError(f"{subject}: {_answer(error)}") from error
    except HFValidationError:
        raise ZooError(f"{subject}: expected a repo id on the Hub (owner/name)") from None
    except OfflineModeIsEnabled:
        raise ZooError(f"{subject}: not asked for, since HF_HUB_OFFLINE is set") from None
    except UnicodeError:
        raise ZooError(f"{subject}: the token is none that can be sent; {SIGN_IN}") from None
    except ValueError as error:  # the Hub's validation of a card
        raise ZooError(f"{subject}: {_without_token(str(error))}") from None
    except (HTTPError, OSError) as error:
        if getattr(error, "filename", None):  # a file of this machine
            raise
        raise ZooError(f"{subject}: the Hub could not be reached ({type(error).__name__})") from None


def _answer(error) -> str:
    """What the Hub has answered, in our words."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, RevisionNotFoundError):
        return "the repo has no such revision"
    if isinstance(error, GatedRepoError):
        return "is gated; ask for access on its page on the Hub"
    if isinstance(error, RepositoryNotFoundError):
        return "no such repo on the Hub that the token in use may read"
    status = error.response.status_code
    known = {
        401: f"the Hub knows no user of the token, or there is none; {SIGN_IN}",
        403: "the token in use may not write there",
        412: "somebody else has pushed in the meantime; push again",
    }
    return known.get(status) or f"the Hub answers {status}: {_without_token(error.server_message or 'no reason given')}"


def _without_token(text: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    return " ".join((text.replace(token, "…") if token else text).split())
