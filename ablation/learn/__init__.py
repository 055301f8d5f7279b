"""From a spec to a trained and measured model: augment, model, train, evaluate, probe; `run` joins them."""
