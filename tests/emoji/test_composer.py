"""The composer: one page complete in itself, that shows every choice it offers and offers no other."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from PIL import Image

from ablation.emoji.composition.composer_page import TERMS, Composer, Scene, write_composer
from ablation.errors import UserError
from browser import NAMES, Browser, chromium
from frames import ODD

EVIL = "cat </script><!-- \"of\" 'mine' & yours"
TARGETS = (EVIL, "grinning face")
PLUS = ("é 😀", ODD, "grinning face")
MINUS = ("grinning face", "é 😀")
METHODS = {"pair": "One pair & no more.", "O'Neil <i>": "Means, </p> balanced."}
STRENGTHS = (-0.5, 0.0, 0.1 + 0.2, 0.75, 1.25, 2.0)
START = 3  # the index of the strength nearest to 1
KEYS = (*TERMS, "method")


def picture(number: int) -> bytes:
    """A PNG of 64 × 64 that no other number has."""
    buffer = BytesIO()
    Image.new("RGB", (64, 64), (number % 256, number // 256, 99)).save(buffer, "PNG")
    return buffer.getvalue()


def a_composer(**changes: Any) -> Composer:
    """Every choice of unlike pictures, one by the first method alone; every other one has a truth."""
    choices = [
        (target, plus, minus, method)
        for target, plus, minus, method in product(TARGETS, PLUS, MINUS, METHODS)
        if len({target, plus, minus}) == 3 and (plus, method) != (ODD, "O'Neil <i>")
    ]
    names = dict.fromkeys((*TARGETS, *PLUS, *MINUS, "the truth"))
    made = Composer(
        title=f"Composed {EVIL}",
        about=f"Run 1; {ODD} is unseen.",
        strengths=STRENGTHS,
        methods=METHODS,
        inputs={name: picture(n) for n, name in enumerate(names)},
        reconstructions={name: picture(100 + n) for n, name in enumerate(names)},
        scenes=tuple(a_scene(n, *choice) for n, choice in enumerate(choices)),
        first=1,
    )
    return replace(made, **changes)


def a_scene(n: int, target: str, plus: str, minus: str, method: str) -> Scene:
    pictures = tuple(picture(200 + n * len(STRENGTHS) + step) for step in range(len(STRENGTHS)))
    gains = tuple(0.9 - (strength - 1) ** 2 for strength in STRENGTHS) if n % 2 else ()
    return Scene(target, plus, minus, method, pictures, gains, "the truth" if n % 2 else "")


COMPOSER = a_composer()
SCENES = {(s.target, s.plus, s.minus, s.method): s for s in COMPOSER.scenes}


def uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def data(page: str) -> Any:
    """What the script of the page reads."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_composer(COMPOSER, tmp_path_factory.mktemp("composer") / "a new folder" / "composer.html")


@pytest.fixture(scope="module")
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_page_is_complete_in_itself(text: str) -> None:
    own = text.replace(json.dumps(data(text)), "")
    assert not re.search(
        r"https?://|url\(|@import|\bhref\b|fetch\(|XMLHttpRequest|<(?:link|iframe|base)\b", own
    )
    assert set(re.findall(r'\bsrc="([^"]*)"', own)) == {"data:,"}
    assert "default-src 'none'; img-src data:;" in own


def test_two_pages_are_equal_to_the_byte(page: Path, tmp_path: Path) -> None:
    assert write_composer(a_composer(), tmp_path / "other.html").read_bytes() == page.read_bytes()


def test_any_name_survives_and_ends_no_element(text: str) -> None:
    assert text.count("</script>") == text.count("<script") == 2
    assert "<!--" not in text
    assert "<b>" not in text.split("<noscript>")[0]
    found = data(text)
    assert [tuple(scene[key] for key in KEYS) for scene in found["scenes"]] == list(SCENES)
    assert found["methods"] == METHODS
    assert list(found["inputs"]) == list(COMPOSER.inputs)


def test_each_picture_is_kept_once_and_found_again(text: str) -> None:
    found = data(text)
    pictures = [base64.b64decode(one) for one in found["pictures"]]
    assert len(set(pictures)) == len(pictures)
    for scene, shown in zip(COMPOSER.scenes, found["scenes"], strict=True):
        assert tuple(pictures[n] for n in shown["pictures"]) == scene.pictures
    for own, name in product((COMPOSER.inputs, COMPOSER.reconstructions), COMPOSER.inputs):
        assert own[name] in pictures


def test_scenes_that_share_their_pictures_cost_a_number_each(tmp_path: Path) -> None:
    same = COMPOSER.scenes[0].pictures
    again = a_composer(scenes=tuple(replace(scene, pictures=same) for scene in COMPOSER.scenes))
    found = data(write_composer(again, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(found["pictures"]) == len(again.inputs) + len(again.reconstructions) + len(same)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenes": ()}, "at least one scene and one strength, but has 0 scenes and 6 strengths"),
        ({"strengths": ()}, "0 strengths"),
        ({"strengths": (1.0,)}, "has 6 pictures, but the page has 1 strength"),
        ({"first": 99}, "the first scene is 99"),
        ({"first": -1}, "the first scene is -1"),
        ({"scenes": COMPOSER.scenes[:1] * 2}, "two scenes"),
        ({"scenes": (replace(COMPOSER.scenes[0], pictures=(b"",)),)}, "has 1 picture, but"),
        ({"scenes": (replace(COMPOSER.scenes[1], gains=(0.1,)),)}, "the truth 'the truth' and 1 gain"),
        ({"scenes": (replace(COMPOSER.scenes[1], truth=""),)}, "no truth and 6 gains"),
        ({"scenes": (replace(COMPOSER.scenes[1], gains=()),)}, "and 0 gains"),
        ({"scenes": (replace(COMPOSER.scenes[1], truth="the trut"),)}, "did you mean 'the truth'"),
        ({"scenes": (replace(COMPOSER.scenes[0], minus="?"),)}, "no input '?'"),
        ({"reconstructions": {}}, "no reconstruction"),
        ({"methods": {"pair": ""}}, "no method"),
    ],
)
def test_what_would_leave_a_blank_is_refused_and_leaves_no_file(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        write_composer(a_composer(**{"first": 0} | change), tmp_path / "folder" / "composer.html")
    assert not list(tmp_path.iterdir())


def test_an_older_page_outlives_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "composer.html").write_text("old")
    with pytest.raises(UserError):
        write_composer(a_composer(scenes=()), tmp_path / "composer.html")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


# What a reader sees, as a value; `settled` waits for what a change of the address brings.
HELPERS = """
const at = (id) => document.getElementById(id);
const seen = (element) => element.checkVisibility() ? element.textContent : "";
const state = () => ({
  choice: ["target", "plus", "minus", "method"].map((key) => at(key).value),
  options: ["target", "plus", "minus", "method"].map((key) => [...at(key).options].map((o) => o.textContent)),
  step: at("strength").valueAsNumber,
  strength: at("strength").getAttribute("aria-valuetext"),
  method: seen(at("about-method")),
  arithmetic: seen(at("arithmetic")),
  gain: seen(at("gain")),
  note: seen(at("note")),
  truth: seen(at("truth")),
  pictures: Object.fromEntries(
    [...document.images].filter((i) => i.id && i.checkVisibility()).map((i) => [i.id, i.src])),
  blank: [...document.images].filter((i) => i.checkVisibility() && !i.alt).length,
  strip: [...document.querySelectorAll("#strip button")].map((b) => ({
    picture: b.querySelector("img").src, words: b.ariaLabel, seen: b.textContent.trim(),
    marked: b.ariaPressed === "true" })),
  hash: location.hash.slice(1),
});
const go = (hash) => new Promise((done) => {
  if (location.hash.slice(1) === hash) return done();
  addEventListener("hashchange", () => done(), { once: true });
  location.hash = hash;
});
const pick = (key, value) => {
  at(key).value = value;
  at(key).dispatchEvent(new Event("input", { bubbles: true }));
  at(key).dispatchEvent(new Event("change", { bubbles: true }));
};
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not chromium():
        pytest.skip(f"no browser to look with: none of {', '.join(NAMES)} is on the PATH")
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    """The browser, with the page as it opens."""
    browser.calls.clear()
    browser.complaints.clear()
    browser.open(page)
    return browser


def look(browser: Browser, script: str = "return state();") -> Any:
    """What the body of an asynchronous function with `HELPERS` returns."""
    return browser.ask(f"(async () => {{ {HELPERS} {script} }})()")


def link(scene: Scene, strength: float | str) -> str:
    return urlencode({key: getattr(scene, key) for key in KEYS} | {"strength": strength})


def words(scene: Scene, strength: float) -> str:
    sign = "−" if strength < 0 else "+"
    return f"{scene.target} {sign} {abs(strength):g} × ({scene.plus} − {scene.minus})"


def check(state: dict[str, Any], step: int) -> None:
    """The page shows what it was given for the choice of its selects, whole, at this strength."""
    scene, strength = SCENES[tuple(state["choice"])], STRENGTHS[step]
    assert state["step"] == step
    assert state["strength"] == f"{strength:g}".replace("-", "−")
    assert state["arithmetic"] == words(scene, strength)
    assert state["method"] == METHODS[scene.method]
    names = {key: getattr(scene, key) for key in TERMS} | ({"truth": scene.truth} if scene.truth else {})
    wanted = {f"{key}-input": COMPOSER.inputs[name] for key, name in names.items()}
    wanted |= {f"{key}-reconstruction": COMPOSER.reconstructions[name] for key, name in names.items()}
    wanted |= {"composite": scene.pictures[step]}
    assert state["pictures"] == {key: uri(png) for key, png in wanted.items()}
    assert [one["picture"] for one in state["strip"]] == [uri(png) for png in scene.pictures]
    assert [one["marked"] for one in state["strip"]] == [n == step for n in range(len(STRENGTHS))]
    assert state["blank"] == 0
    assert all(one["words"].endswith(one["seen"]) for one in state["strip"])
    assert state["truth"] == scene.truth
    if scene.truth:
        gain = f"{scene.gains[step]:+.2f}".replace("-", "−")
        assert state["gain"] == f"Normalised gain {gain}"
        assert state["strip"][step]["words"] == f"strength and gain {state['strength']} {gain}"
        assert state["strip"][step]["seen"] == f"{state['strength']} {gain}"
    else:
        assert state["gain"].startswith("No picture of this is known")
        assert state["strip"][step]["words"] == f"strength {state['strength']}"


def test_the_page_opens_with_the_first_scene_at_the_strength_nearest_to_one(shown: Browser) -> None:
    state = look(shown)
    assert SCENES[tuple(state["choice"])] == COMPOSER.scenes[COMPOSER.first]
    check(state, START)
    assert state["note"] == ""


def test_the_page_asks_nothing_of_the_network_and_has_nothing_to_complain_of(
    shown: Browser, page: Path
) -> None:
    look(shown, "pick('target', 'grinning face'); return state();")
    seen = "[...document.images].filter((i) => i.checkVisibility())"
    widths = look(shown, f"return Promise.all({seen}.map((i) => i.decode().then(() => i.naturalWidth)));")
    assert set(widths) == {64}
    outward = {call.split("?")[0] for call in shown.calls if not call.startswith("data:")}
    assert outward == {page.as_uri()}
    assert shown.complaints == []


def test_every_link_shows_its_scene_and_strength(shown: Browser) -> None:
    links = {
        link(scene, strength): (scene, step)
        for scene in COMPOSER.scenes
        for step, strength in enumerate(STRENGTHS)
    }
    walk = f"for (const one of {json.dumps(list(links))}) {{ await go(one); all.push(state()); }}"
    states = look(shown, f"const all = []; {walk} return all;")
    for state, (scene, step) in zip(states, links.values(), strict=True):
        assert SCENES[tuple(state["choice"])] == scene
        check(state, step)
        assert state["note"] == ""


def test_every_choice_on_offer_exists_and_what_moves_with_it_is_said(shown: Browser) -> None:
    links = json.dumps([link(scene, STRENGTHS[START]) for scene in COMPOSER.scenes])
    script = f"""
      const all = [];
      for (const one of {links}) for (const key of ["target", "plus", "minus", "method"]) {{
        await go(one);
        for (const value of [...at(key).options].map((o) => o.value)) {{
          history.replaceState(null, "", "#");
          await go(one);
          const before = state();
          pick(key, value);
          all.push([key, value, before, state()]);
        }}
      }}
      return all;"""
    moves = look(shown, script)
    assert len(moves) > len(SCENES) * len(KEYS)
    for key, value, before, after in moves:
        check(after, START)
        rank = KEYS.index(key)
        want = [*before["choice"]]
        want[rank] = value
        assert after["choice"][: rank + 1] == want[: rank + 1]
        moved = [k for k, old, new in zip(KEYS, want, after["choice"], strict=True) if old != new]
        now = ", ".join(f"{k} is now {after['choice'][KEYS.index(k)]}" for k in moved)
        assert after["note"].endswith(f": {now}." if moved else "")
        assert bool(after["note"]) == bool(moved)
        assert moved or tuple(want) in SCENES
    assert any("would both be" in after["note"] for *_, after in moves)


def test_what_is_on_offer_is_all_there_is(shown: Browser) -> None:
    state = look(shown)
    for rank, options in enumerate(state["options"]):
        before = tuple(state["choice"][:rank])
        assert set(options) == {choice[rank] for choice in SCENES if choice[:rank] == before}


@pytest.mark.parametrize(
    "lost", ["nothing=here", "target=gone&strength=nonsense", "plus=%C3%A9+%F0%9F%98%80"]
)
def test_a_link_to_what_is_not_there_shows_the_nearest_and_says_so(shown: Browser, lost: str) -> None:
    state = look(shown, f"await go({lost!r}); return state();")
    check(state, START)
    asked = {key: value for key, (value,) in parse_qs(lost).items() if key in KEYS}
    here = dict(zip(KEYS, state["choice"], strict=True))
    assert bool(state["note"]) == any(here[key] != value for key, value in asked.items())
    assert ("gone" in state["note"]) == ("gone" in lost)


def test_the_address_keeps_the_choice(browser: Browser, shown: Browser, page: Path) -> None:
    look(shown, f"pick('plus', {json.dumps(ODD)});")
    shown.ask("document.getElementById('strength').focus()")
    shown.press("End")
    left = look(shown)
    check(left, len(STRENGTHS) - 1)
    browser.open(page, left["hash"])
    assert look(shown) | {"note": ""} == left | {"note": ""}


def test_the_keyboard_reaches_everything_and_sees_where_it_is(shown: Browser) -> None:
    places, rings = [], []
    for _ in range(len(KEYS) + 1 + len(STRENGTHS)):
        shown.press("Tab")
        found = shown.ask(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            "return [e.id || e.ariaLabel, s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        places.append(found[0])
        rings.append((found[1], found[2] >= 2))
    strip = [one["words"] for one in look(shown)["strip"]]
    assert places == [*KEYS, "strength", *strip]
    assert set(rings) == {("solid", True)}


def test_the_keyboard_works_everything(shown: Browser) -> None:
    shown.press(*["Tab"] * len(KEYS), "Tab", "Home")
    check(look(shown), 0)
    shown.press("ArrowRight", "ArrowRight")
    state = look(shown)
    check(state, 2)
    assert parse_qs(state["hash"])["strength"] == ["0.3"]
    shown.press("ArrowLeft")
    check(look(shown), 1)
    shown.press(*["Tab"] * len(STRENGTHS), "Enter")
    check(look(shown), len(STRENGTHS) - 1)
    shown.ask("document.getElementById('target').focus()")
    shown.press("ArrowDown")
    state = look(shown)
    assert state["choice"][0] == TARGETS[1]
    check(state, len(STRENGTHS) - 1)


def test_a_picture_of_the_strip_sets_the_strength(shown: Browser) -> None:
    for step in (4, 0):
        place = shown.ask(
            f"(() => {{ const b = document.querySelectorAll('#strip button')[{step}]; b.scrollIntoView();"
            "const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            shown.do(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )
        state = look(shown)
        check(state, step)
        assert float(parse_qs(state["hash"])["strength"][0]) == STRENGTHS[step]


def test_every_control_and_picture_has_a_name_and_changes_are_announced(shown: Browser) -> None:
    nodes = shown.do("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if not node["ignored"] and "name" in node
    ]
    of = {role: [name for found, name in named if found == role] for role, _ in named}
    assert of["combobox"] == [*TERMS.values(), "Method"]
    assert of["slider"] == ["Strength"]
    assert of["button"] == [one["words"] for one in look(shown)["strip"]]
    assert len(of["image"]) >= len(TERMS) * 2 + 1
    assert all(of["image"])
    assert shown.ask("document.querySelector('[aria-live=polite]').innerText.trim().split(/\\n+/)") == [
        words(COMPOSER.scenes[COMPOSER.first], STRENGTHS[START]),
        look(shown)["gain"],
    ]


def test_a_gain_comes_with_its_meaning(shown: Browser) -> None:
    meaning = shown.ask("document.querySelector('#known .fine').textContent")
    assert "Gain 0: the input" in meaning
    assert "Gain 1: as good as reconstructing the truth" in meaning


@pytest.mark.parametrize("width", [360, 720, 1100])
def test_nothing_sticks_out_of_a_narrow_window(shown: Browser, width: int) -> None:
    with shown.looking(width=width):
        assert shown.ask("document.documentElement.scrollWidth") <= width
        out = (
            "[...document.querySelectorAll('main *')].filter((e) => e.checkVisibility() &&"
            f" (e.getBoundingClientRect().right > {width} || e.getBoundingClientRect().left < 0))"
            ".map((e) => e.id || e.outerHTML.slice(0, 80))"
        )
        assert shown.ask(out) == []


def test_pictures_keep_their_pixels_and_their_colours_in_the_dark(shown: Browser) -> None:
    look_of = (
        "[getComputedStyle(document.body).backgroundColor,"
        " ...new Set([...document.images].map((i) => getComputedStyle(i))"
        ".map((style) => `${style.imageRendering}, ${style.filter}`))]"
    )
    with shown.looking(prefers_color_scheme="light"):
        light = shown.ask(look_of)
    with shown.looking(prefers_color_scheme="dark"):
        dark = shown.ask(look_of)
    assert light[0] != dark[0]
    assert light[1:] == dark[1:] == ["pixelated, none"]


def test_a_doubtful_gain_is_not_shown_in_bold_and_says_why(browser: Browser, tmp_path: Path) -> None:
    write_composer(a_composer(doubt="It loses <all>."), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    assert browser.ask("document.querySelector('.doubt').innerText") == "It loses <all>."
    assert browser.ask("document.querySelector('#gain b')") is None
    write_composer(a_composer(), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    assert browser.ask("document.querySelector('.doubt')") is None
    assert browser.ask("document.querySelector('#gain b').innerText")
