"""Do batch normalization and dropout disagree? By rate, between the convolutions or before the head only.

12 cells × 20 seeds = 240 runs of 30 epochs. At rate 0 the place means nothing: those runs are trained twice.

Cost: at the small scale 11 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan dropout` does for your machine, 18 h on those cores and 2 min on an H200 (not measured).
"""

from harness import Factor, Finding, Scale, Study, Variant

study = Study(
    name="dropout",
    question="Do batch normalization (BN) and dropout disagree?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    factors=(
        Factor("dropout", (0.0, 0.25, 0.5)),
        Factor("dropout_place", ("head", "between")),
    ),
    seeds=20,
    epochs=30,
    settings={"lr": 0.01},
    findings=(
        Finding(
            "accuracy",
            claim="test accuracy is higher",
            endpoint="log_error",
            better="lower",
            source="the article's first claim, here as a mean over rates and places",
        ),
        Finding(
            "rate",
            claim="the more dropout, the fewer errors it saves",
            endpoint="log_error",
            better="higher",
            over="dropout",
            source="Li et al. (2019): dropout shifts the variance that batch normalization relies on",
        ),
        Finding(
            "place",
            claim="it saves fewer errors where dropout lies between the convolutions",
            endpoint="log_error",
            better="higher",
            over="dropout_place",
            source="Li et al. (2019): dropout belongs behind the last batch normalization",
        ),
        Finding(
            "gap",
            claim="the gap between training and test accuracy is smaller",
            endpoint="generalisation_gap",
            better="lower",
            family="secondary",
            source="Ioffe & Szegedy (2015, section 3.4): batch normalization regularises",
        ),
    ),
    scales={
        "small": Scale(
            seeds=8,
            epochs=6,
            settings={
                "train_images": 1600,
                "test_images": 1000,
                "probe_size": 128,
                "diagnostics": (6,),
            },
        )
    },
)
