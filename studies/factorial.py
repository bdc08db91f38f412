"""When does batch normalization help? 72 cells × 20 seeds = 1,440 runs of 30 epochs.

Cost: days on a few CPU cores; `harness plan factorial` estimates the time here.
"""

from harness import Factor, Study, Variant

study = Study(
    name="factorial",
    question="Does batch normalization (BN) help, and when does it stop helping?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    factors=(
        Factor("batch_size", (8, 32, 128)),
        Factor("lr", (0.001, 0.01, 0.1, 1.0)),
        Factor("dropout", (0.0, 0.25, 0.5)),
    ),
    seeds=20,
    epochs=30,
)
