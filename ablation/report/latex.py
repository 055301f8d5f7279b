"""Text in LaTeX: what a character becomes, how wide it is at most, and where a line may be broken.

Widths are in em of the font at hand. They are upper bounds for Computer Modern, which is wider than Times.
"""

import re
import unicodedata
from collections.abc import Iterator

SPACE = 0.34


def latex(text: str) -> str:
    """`text` escaped for LaTeX; a character that LaTeX lacks becomes its code point, as in "U+1F600"."""
    # Two of these in a row would set a dash or a quotation mark.
    apart = re.sub(r"([-',])(?=\1)", "\\1\u200b", re.sub(r"[^\S\u00a0]+", " ", text))
    return "".join(_character(c) for c in apart).replace(r" \%", r"~\%")


def breakable(text: str, em: float) -> str:
    """`text` escaped for LaTeX, with places to break a line in words that are wider than `em`."""
    words = (r"\allowbreak{}".join(map(latex, _pieces(word, em))) for word in text.split(" "))
    return " ".join(words).replace(r" \%", r"~\%")


def width(text: str) -> float:
    """Em that `text` takes at most."""
    return sum(map(_em, text))


def lines(text: str, em: float) -> int:
    """Lines that `text` takes at most in a column of `em`."""
    used, found = 0.0, 1
    for word in text.split(" "):
        for n, piece in enumerate(_pieces(word, em)):
            wide, before = width(piece), SPACE if used and not n else 0.0
            if used and used + before + wide > em:
                used, found = wide, found + 1
            else:
                used += before + wide
    return found


def _pieces(word: str, em: float) -> list[str]:
    """What a word may be broken into: itself where it fits, else its parts, else its characters."""
    if width(word) <= em:
        return [word]
    parts = re.split(r"(?<=[._/=,:+-])(?=.)", word)
    # A character stays with the one behind a space that is not to be broken.
    return [
        piece
        for part in parts
        for piece in ([part] if width(part) <= em else re.findall(".(?:\u00a0.)*", part))
    ]


def _character(c: str) -> str:
    if c in LATEX:
        return LATEX[c]
    if c.isascii():
        return c if c.isprintable() else ""
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[1] in ACCENTS and parts[0].isascii():
        return f"\\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(c):04X}"


def _em(c: str) -> float:
    if c in WIDTHS:
        return WIDTHS[c]
    if c in LATEX:
        return 1.05
    base = unicodedata.normalize("NFD", c)[0]
    return 0.85 if c.isascii() else _em(base) if base.isascii() else 1.6 + 0.75 * len(f"{ord(c):04X}")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    words = text.split()
    return zip(words[::2], words[1::2], strict=True)


COMMANDS = r"""
\ textbackslash  ~ textasciitilde  ^ textasciicircum  – textendash  — textemdash  … dots
" textquotedblright  “ textquotedblleft  ” textquotedblright  ‘ textquoteleft  ’ textquoteright
ß ss  ø o  Ø O  æ ae  Æ AE  œ oe  Œ OE  ł l  Ł L  ı i  § S
"""
SYMBOLS = """
× times  ± pm  ≡ equiv  ≤ le  ≥ ge  ≈ approx  → to  ∞ infty  · cdot  µ mu
↑ uparrow  ↓ downarrow  † dagger  ‡ ddagger
α alpha  β beta  γ gamma  δ delta  ε epsilon  ζ zeta  η eta  θ theta  ι iota  κ kappa  λ lambda  μ mu  ν nu
ξ xi  π pi  ρ rho  σ sigma  τ tau  υ upsilon  φ phi  χ chi  ψ psi  ω omega
Γ Gamma  Δ Delta  Θ Theta  Λ Lambda  Ξ Xi  Π Pi  Σ Sigma  Υ Upsilon  Φ Phi  Ψ Psi  Ω Omega
"""
LATEX = {
    **{c: f"\\{c}" for c in "#$%&_{}"},
    **{c: f"${c}$" for c in "<>|"},
    **{c: f"{{{c}}}" for c in "[]*"},  # after a row's \\ a bracket or a star would be read as an argument
    **{c: f"\\{name}{{}}" for c, name in _pairs(COMMANDS)},
    **{c: f"$\\{name}$" for c, name in _pairs(SYMBOLS)},
    **dict(_pairs("Α A  Β B  Ε E  Ζ Z  Η H  Ι I  Κ K  Μ M  Ν N  Ο O  Ρ P  Τ T  Χ X  ο o")),
    **{"`": r"\`{}", "−": "$-$", "°": r"$^{\circ}$", "\u00a0": "~", "\u200b": "{}"},
}
"""What a character becomes; the Greek capitals that look like Latin ones are those."""
ACCENTS = {
    chr(int(code, 16)): command
    for code, command in _pairs("300 ` 301 ' 302 ^ 303 ~ 304 = 306 u 307 . 308 \" 30a r 30b H 30c v 327 c")
}
"""LaTeX's command of a combining accent."""
THOUSANDTHS = """
ijlI.,:;'!|()[] 390  f 310  rst 400  cez 450  agos0123456789 510  v/ 530  bdhknpquxyJ 560  w 730  m 840
S 560  LZ 630  EFP 690  BCRT 740  ADHNUVXYG 790  KOQ 790  MW 1040  †‡ 500  ↑↓ 550  –+<=>−± 790
"""
WIDTHS = {c: int(width) / 1000 for kind, width in _pairs(THOUSANDTHS) for c in kind}
WIDTHS |= {" ": SPACE, "\u00a0": SPACE, "\u200b": 0.0}
"""Em of a character; of any other see `_em`."""
