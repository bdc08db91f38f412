"""Batch normalization before or after the activation? And neither, by learning rate.

12 cells × 20 seeds = 240 runs of 30 epochs.

Cost: at the small scale 10 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan placement` does for your machine, 18 h on those cores and 2 min on an H200 (not measured).
"""

from harness import Factor, Finding, Scale, Study, Variant

before = Variant("bn-before", norm="batch")

study = Study(
    name="placement",
    question="Does batch normalization (BN) belong before or after the activation?",
    dataset="devanagari",
    variants=(before, before.but("bn-after", placement="after"), before.without("norm", name="plain")),
    baseline="bn-before",
    factors=(Factor("lr", (0.001, 0.01, 0.1, 1.0)),),
    seeds=20,
    epochs=30,
    findings=(
        Finding(
            "accuracy",
            claim="test accuracy is higher",
            endpoint="log_error",
            better="lower",
            margin=0.1,
            source="the article places it before the activation, as Ioffe & Szegedy (2015, section 3.2) do",
        ),
        Finding(
            "convergence",
            claim="training converges in fewer epochs",
            endpoint="epochs_to_threshold",
            better="lower",
            source="the article's second claim",
        ),
        Finding(
            "learning-rate",
            claim="the higher the learning rate, the more errors it saves",
            endpoint="log_error",
            better="lower",
            over="lr",
            family="secondary",
            source="no claim of the article",
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
