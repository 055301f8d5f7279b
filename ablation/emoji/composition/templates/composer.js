"use strict";
(() => {
  const KEYS = ["target", "plus", "minus", "method"];
  const data = JSON.parse(document.getElementById("data").textContent);
  const { strengths, scenes } = data;
  const at = (id) => document.getElementById(id);
  // What every select offers, in one order whatever is chosen.
  const known = Object.fromEntries(KEYS.map((key) => [key, [...new Set(scenes.map((one) => one[key]))]]));
  let scene; // the one that is shown
  let step; // the index of its strength
  let note; // a sentence where something else is shown than was asked for

  const amount = (strength) => (strength < 0 ? "−" : "") + Math.abs(strength);

  const arithmetic = (one, strength) =>
    `${one.target} ${strength < 0 ? "−" : "+"} ${Math.abs(strength)} × (${one.plus} − ${one.minus})`;

  /** The scene that has most of what is wanted, and all of what is fixed; an earlier key counts for more. */
  const nearest = (wanted, fixed) => {
    const score = (one) => KEYS.reduce((sum, key) => 2 * sum + (one[key] === wanted[key]), 0);
    const open = scenes.filter((one) => fixed.every((key) => one[key] === wanted[key]));
    return open.reduce((best, one) => (score(one) > score(best) ? one : best));
  };

  /** Why something else is shown than was wanted, "" where it is not. */
  const explain = (wanted, found) => {
    const moved = KEYS.filter((key) => found[key] !== wanted[key]);
    if (!moved.length) return "";
    const lack =
      wanted.plus === wanted.minus
        ? `Plus and minus would both be ${wanted.plus} and cancel out`
        : `This page has no ${wanted.target} + strength × (${wanted.plus} − ${wanted.minus}) by ${wanted.method}`;
    const now = moved.map((key) => `${key} is now ${found[key]}`);
    return `${lack}: ${now.join(", ")}.`;
  };

  const choose = (key, value) => {
    const wanted = { ...scene, [key]: value };
    scene = nearest(wanted, KEYS.slice(0, KEYS.indexOf(key) + 1));
    note = explain(wanted, scene);
    show();
    keep();
  };

  const draw = (image, picture, alt) => {
    const source = `data:image/png;base64,${data.pictures[picture]}`;
    if (image.src !== source) image.src = source;
    image.alt = alt;
  };

  const drawPair = (id, name) => {
    draw(at(`${id}-input`), data.inputs[name], name);
    draw(at(`${id}-reconstruction`), data.reconstructions[name], `${name}, reconstructed`);
  };

  /** Offer what exists with the choices before this one. */
  const offer = (key) => {
    const before = KEYS.slice(0, KEYS.indexOf(key));
    const open = scenes.filter((one) => before.every((other) => one[other] === scene[other]));
    const there = new Set(open.map((one) => one[key]));
    const values = known[key].filter((value) => there.has(value));
    const select = at(key);
    // Options that stay are left alone: a list may be open.
    if (values.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
      select.replaceChildren(...values.map((value) => new Option(value, value)));
    }
    select.value = scene[key];
  };

  const showStrip = () => {
    at("strip-gains").hidden = !scene.truth;
    [...at("strip").children].forEach((item, index) => {
      const button = item.firstChild;
      const [image, strength, gain] = button.children;
      draw(image, scene.pictures[index], `composite at strength ${amount(strengths[index])}`);
      strength.textContent = amount(strengths[index]);
      gain.textContent = scene.truth ? scene.gains[index] : "";
      // What is seen stands in the name as it is seen: a voice that reads it out finds the button.
      const words = amount(strengths[index]);
      const name = scene.truth ? `strength and gain ${words} ${scene.gains[index]}` : `strength ${words}`;
      button.setAttribute("aria-label", name);
      button.setAttribute("aria-pressed", String(index === step));
    });
  };

  const showTruth = () => {
    at("known").hidden = !scene.truth;
    if (!scene.truth) {
      at("gain").textContent =
        "No picture of this is known, so no number says how near the composite comes to it.";
      return;
    }
    const gain = document.createElement(data.doubtful ? "span" : "b");
    gain.textContent = scene.gains[step];
    at("gain").replaceChildren("Normalised gain ", gain);
    at("truth").textContent = scene.truth;
    drawPair("truth", scene.truth);
  };

  const show = () => {
    const words = arithmetic(scene, strengths[step]);
    KEYS.forEach(offer);
    ["target", "plus", "minus"].forEach((key) => drawPair(key, scene[key]));
    at("about-method").textContent = data.methods[scene.method];
    at("strength").value = step;
    at("strength").setAttribute("aria-valuetext", amount(strengths[step]));
    at("strength-words").textContent = amount(strengths[step]);
    draw(at("composite"), scene.pictures[step], `composite: ${words}, by ${scene.method}`);
    at("note").hidden = !note;
    at("note").textContent = note;
    at("arithmetic").textContent = words;
    showTruth();
    showStrip();
  };

  const keep = () => {
    const asked = new URLSearchParams(KEYS.map((key) => [key, scene[key]]));
    asked.set("strength", strengths[step]);
    history.replaceState(null, "", `#${asked}`);
  };

  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    const wanted = { ...scenes[data.first] };
    KEYS.filter((key) => asked.has(key)).forEach((key) => (wanted[key] = asked.get(key)));
    scene = nearest(wanted, []);
    note = explain(wanted, scene);
    const strength = asked.has("strength") ? Number(asked.get("strength")) : NaN;
    const away = (index) => Math.abs(strengths[index] - strength);
    step = Number.isFinite(strength)
      ? [...strengths.keys()].reduce((best, index) => (away(index) < away(best) ? index : best))
      : data.start;
    show();
  };

  const turn = (to) => {
    step = to;
    note = "";
    show();
  };

  const build = (_, index) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const [image, strength, gain] = ["img", "span", "span"].map((tag) => document.createElement(tag));
    button.append(image, strength, " ", gain);
    button.addEventListener("click", () => {
      turn(index);
      keep();
    });
    item.append(button);
    return item;
  };

  at("strip").replaceChildren(...strengths.map(build));
  KEYS.forEach((key) => at(key).addEventListener("change", (event) => choose(key, event.target.value)));
  at("strength").addEventListener("input", (event) => turn(Number(event.target.value)));
  // Kept when the drag ends: some browsers refuse an address that changes with every pixel.
  at("strength").addEventListener("change", keep);
  window.addEventListener("hashchange", read);
  read();
  at("composer").hidden = false;
})();
