"""Any text as LaTeX source in plain ASCII, so that it compiles with no package and any encoding."""

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\textquotedblright{}",
    # After a row's \\ a bracket or a star would be read as an argument.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": r"\`{}",
    "−": "$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≡": r"$\equiv$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
    "µ": r"$\mu$",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "…": r"\dots{}",
    "\u00a0": "~",
    "\u200b": "{}",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta"),
    *("Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
SAME_AS_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))


def latex(text: str) -> str:
    """`text` escaped for LaTeX; a character that LaTeX lacks becomes its code point, as in "U+1F600"."""
    # Two of these in a row would set a dash or a quotation mark.
    apart = re.sub(r"([-',])(?=\1)", "\\1\u200b", re.sub(r"\s+", " ", text))
    return "".join(_character(c) for c in apart).replace(r" \%", r"~\%")


def _character(c: str) -> str:
    if c in SPECIAL:
        return SPECIAL[c]
    if c in "#$%&_":
        return "\\" + c
    if c.isascii():
        return c if c.isprintable() else ""
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[1] in ACCENTS and parts[0].isascii():
        return f"\\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return _greek(c) or f"U+{ord(c):04X}"


def _greek(c: str) -> str:
    """A Greek letter by its name, which LaTeX shares with Unicode but for lambda; "" for any other."""
    name = unicodedata.name(c, "")
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if not found:
        return ""
    if c in SAME_AS_LATIN:
        return SAME_AS_LATIN[c]
    letter = found[2].replace("LAMDA", "LAMBDA").lower()
    if found[1] == "CAPITAL":
        letter = letter.capitalize()
    return f"$\\{letter}$" if letter in GREEK else ""
