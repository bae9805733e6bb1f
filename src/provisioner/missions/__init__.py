"""VERBS: wiring only. `perform` is the one algorithm; each mission plans and hands over to it."""
