"""When does batch normalization help? 72 cells × 20 seeds = 1,440 runs of 30 epochs.

Cost: at the small scale 12 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan factorial` does for your machine, 5 days on those cores and 16 min on an H200 (not measured).
"""

from harness import Factor, Finding, Scale, Study, Variant

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
    findings=(
        Finding(
            "accuracy",
            claim="test accuracy is higher",
            endpoint="log_error",
            better="lower",
            source="the article's first claim, here as a mean over the grid",
        ),
        Finding(
            "learning-rate",
            claim="the higher the learning rate, the more errors it saves",
            endpoint="log_error",
            better="lower",
            over="lr",
            source="Ioffe & Szegedy (2015): batch normalization allows for much higher learning rates",
        ),
        Finding(
            "batch-size",
            claim="the larger the batch, the more errors it saves",
            endpoint="log_error",
            better="lower",
            over="batch_size",
            source="Wu & He (2018): batch statistics become inaccurate on small batches",
        ),
        Finding(
            "dropout",
            claim="the more dropout, the fewer errors it saves",
            endpoint="log_error",
            better="higher",
            over="dropout",
            source="Li et al. (2019): dropout shifts the variance that batch normalization relies on",
        ),
        Finding(
            "convergence",
            claim="training converges in fewer epochs",
            endpoint="epochs_to_threshold",
            better="lower",
            family="secondary",
            source="the article's second claim, here as a mean over the grid",
        ),
        Finding(
            "smoothness",
            claim="the descent is smoother",
            endpoint="gradient_cosine",
            better="higher",
            family="secondary",
            source="the article's third claim, here as a mean over the grid",
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
