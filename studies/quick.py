"""Does batch normalization help a small CNN? A first answer in minutes, on embedded digits.

Two convolutions instead of the article's three, to be quick; `harness plan quick` estimates the time
here. Real data and the article's own settings: `article`.
"""

from harness import Factor, Scale, Study, Variant

study = Study(
    name="quick",
    question="Does batch normalization (BN) help a small CNN on handwritten digits?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    factors=(
        Factor("batch_size", (16, 64)),
        Factor("lr", (0.01, 0.1)),
        Factor("dropout", (0.0, 0.25)),
    ),
    seeds=8,
    epochs=4,
    settings={"depth": 2, "probe_size": 256},
    scales={
        "small": Scale(
            seeds=8,
            epochs=2,
            settings={
                "train_images": 300,
                "test_images": 200,
                "probe_size": 64,
                "diagnostics": (2,),
            },
        )
    },
)
