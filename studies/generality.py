"""Is it these digits? The article's networks on other images, with the same settings.

Without more, on those that scikit-learn brings along. `--set dataset=NAME`, with every command, asks it of
another data set: devanagari, mnist, fashion-mnist, kmnist, cifar10; give `report` an `--out` of its own then.

Cost: at the small scale 5 min on two CPU cores (Zen 3), measured with other work beside it. In full, by
arithmetic alone, which `harness plan generality` does for your machine, 28 min on those cores and 3 s on an
H200 (not measured).
"""

from harness import Finding, Scale, Study, Variant

study = Study(
    name="generality",
    question="Does batch normalization (BN) help the same network on other images?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    seeds=20,
    epochs=30,
    settings={"lr": 0.01},
    findings=(
        Finding(
            "accuracy",
            claim="test accuracy is higher",
            endpoint="log_error",
            better="lower",
            source="the article's first claim, which is of one data set",
        ),
        Finding(
            "convergence",
            claim="training converges in fewer epochs",
            endpoint="epochs_to_threshold",
            better="lower",
            source="the article's second claim, which is of one data set",
        ),
        Finding(
            "smoothness",
            claim="the descent is smoother",
            endpoint="gradient_cosine",
            better="higher",
            source="the article's third claim, which is of one data set",
        ),
    ),
    scales={
        "small": Scale(
            seeds=8,
            epochs=10,
            settings={"train_images": 3000, "test_images": 1000, "probe_size": 256},
        )
    },
)
