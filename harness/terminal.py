"""What a target or a file has written, on its way to somebody's terminal."""

import unicodedata


def plain(text: str) -> str:
    """One line of text, with all that is no letter, sign or space written as its number: a name in
    evidence must not move a terminal's cursor."""
    return "".join(
        sign if unicodedata.category(sign)[0] not in "CZ" or sign == " " else f"\\u{ord(sign):04x}"
        for sign in text
    )


def plain_lines(text: str) -> str:
    """The same of several lines, which stay so many."""
    return "\n".join(map(plain, text.split("\n")))
