"""The `LICENSE` of a model's folder: the weights carry that of the data, our code files that of the project."""

LICENSE_FILE = "LICENSE"
# Name and address of the text, by the Hub's identifier
LICENSES = {
    "cc-by-nc-sa-4.0": (
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
    ),
    "cc-by-nc-4.0": (
        "Creative Commons Attribution-NonCommercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    ),
    "cc-by-sa-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
    ),
    "cc0-1.0": ("Creative Commons Zero 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/legalcode"),
}
_CODE = """
Python files
------------
Apache License, Version 2.0
https://www.apache.org/licenses/LICENSE-2.0
"""


def licence_text(license_id: str, data_name: str | None, citation: str | None, has_code: bool) -> str:
    """Says which licence binds which files of a model's folder.

    Args:
        license_id (`str`): Of the data, as the Hub names it.
        data_name (`str`, *optional*): The dataset that the weights were trained on, if it is known.
        citation (`str`, *optional*): What the licence of the data asks to be cited.
        has_code (`bool`): Whether Python files lie beside the weights.
    """
    title, address = LICENSES.get(license_id, ("Unknown: ask the owner of the training data before sharing", None))
    lines = ["Weights and sample images", "-------------------------", title, *([address] if address else [])]
    if data_name:
        lines += ["", f"They were made from {data_name}, whose licence binds them."]
    if citation:
        lines += ["Whoever uses them must cite:", citation]
    return "\n".join(lines) + "\n" + (_CODE if has_code else "")
