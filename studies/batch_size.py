"""Does batch normalization fail on small batches? Beside it group normalization, which has none.

The learning rate is held, or scaled with the batch (0.01 at 32). Small batches make more updates in an epoch
than large ones; so half of the runs have epochs of equally many updates instead of a pass over the images.

72 cells × 20 seeds = 1,440 runs of 30 epochs.

Cost: at the small scale 12 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan batch_size` does for your machine, 5 days on those cores and 11 min on an H200 (not measured).
"""

from harness import Factor, Finding, Scale, Study, Variant

study = Study(
    name="batch_size",
    question="Does batch normalization (BN) fail on small batches?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("group", norm="group")),
    baseline="plain",
    factors=(
        Factor("batch_size", (2, 4, 8, 16, 32, 64)),
        Factor("lr_scaling", ("none", "linear")),
        Factor("epoch_unit", ("pass", "updates")),
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
            source="the article's first claim, here as a mean over the batch sizes",
        ),
        Finding(
            "batch-size",
            claim="the larger the batch, the more errors it saves",
            endpoint="log_error",
            better="lower",
            over="batch_size",
            source="Wu & He (2018): statistics of small batches are inaccurate; group normalization has none",
        ),
        Finding(
            "scaling",
            claim="it saves more errors where the learning rate follows the batch",
            endpoint="log_error",
            better="lower",
            over="lr_scaling",
            family="secondary",
            source="no claim of the article; Goyal et al. (2017) scale the rate with the batch",
        ),
        Finding(
            "updates",
            claim="it saves more errors where all batch sizes make equally many updates",
            endpoint="log_error",
            better="lower",
            over="epoch_unit",
            family="secondary",
            source="no claim of the article; with equal epochs small batches train longer",
        ),
    ),
    scales={
        "small": Scale(
            seeds=8,
            epochs=3,
            settings={
                "train_images": 400,
                "test_images": 300,
                "probe_size": 64,
                "diagnostics": (3,),
            },
        )
    },
)
